// Platforms: one suite of what needs no Node (fixtures/runtime-suite.mjs), with real failures of the network.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { startFailingServer, startForgetfulServer } from '../failing-server.mjs';

const group = 'Runtimes';
const PACKAGES = ['core', 'retry', 'breaker', 'ratelimit', 'recovery'].map(
  (name) => `@temper/${name}`,
);
const SUITE = readFileSync(join(import.meta.dirname, '../fixtures/runtime-suite.mjs'), 'utf8');
const API = '@opentelemetry/api@1';
const MARK = 'results: ';

const ASSERTED = [
  'policies, limits, caches and circuits, in real time',
  "retries of the platform's own fetch errors: refused, reset and cut connections",
];
const NO_NODE = 'nothing is imported from node:';

async function prepare(env, others = []) {
  await env.install([...PACKAGES, API], others, { type: 'module' });
  env.write('suite.mjs', SUITE);
}

async function failingServer(env, pages) {
  const server = await startFailingServer(pages);
  env.onEnd(() => server.stop());
  return server;
}

/** Fails with all that failed. */
function conclude(results) {
  const failed = results.filter(({ error }) => error !== undefined);
  assert.equal(failed.map(({ name, error }) => `${name}\n${error}`).join('\n\n'), '');
  assert.ok(results.length >= 16, `${results.length} tests`);
}

const main = ({ url, refused }) =>
  `import { runSuite } from './suite.mjs';
const results = await runSuite(${JSON.stringify(url)}, ${JSON.stringify(refused)});
console.log(${JSON.stringify(MARK)} + JSON.stringify(results));
`;

const resultsOf = (stdout) => JSON.parse(stdout.slice(stdout.indexOf(MARK) + MARK.length));

const ON_A_KEPT_CONNECTION = (url) => `
await (await fetch(${JSON.stringify(url)})).text();
await new Promise((resolve) => setTimeout(resolve, 100));
await fetch(${JSON.stringify(url)}, { method: 'POST', body: 'x' }).then((one) => one.text(), () => {});
`;

/** Whether the platform's fetch sends a POST again whose kept connection closes: docs/http.md says which do. */
async function repeatsPosts(env, program, args) {
  const server = await startForgetfulServer();
  env.onEnd(() => server.stop());
  env.write('kept.mjs', ON_A_KEPT_CONNECTION(server.url));
  await env.exec(program, [...args, 'kept.mjs']);
  return server.posts() === 2;
}

/**
 * Runs the suite from the installed packages.
 *
 * @param repeats - whether the platform's fetch sends a POST again by itself
 */
const direct = (id, title, short, command, versionOf, repeats = false) => ({
  id,
  group,
  title,
  short,
  async run(env) {
    await prepare(env);
    env.write('main.mjs', main(await failingServer(env)));
    const [program, ...args] = await command(env);
    const { stdout } = await env.exec(program, [...args, 'main.mjs']);
    conclude(resultsOf(stdout));
    assert.equal(await repeatsPosts(env, program, args), repeats);
    const version = await env.exec(program, [...versionOf(args), '--version']);
    const loaded = `${title.split(' ')[0]} ${version.stdout.match(/\d+\.\d+\.\d+/)[0]}`;
    const word = repeats ? 'sends' : 'does not send';
    const posts = `fetch itself ${word} a POST again when its kept connection is closed`;
    return { loaded: [loaded], asserted: [...ASSERTED, posts] };
  },
});

const node = (version) =>
  direct(
    `runtime-node-${version}`,
    `Node ${version}`,
    version === '24',
    async (env) => [await env.node(version)],
    () => [],
  );

/** One file for platforms that load no packages. What is imported from Node fails to resolve. */
async function bundle(env, options) {
  await env.exec('npx', [
    'esbuild',
    'main.mjs',
    '--bundle',
    '--main-fields=module,main',
    '--outfile=bundle.js',
    ...options,
  ]);
  const text = readFileSync(join(env.dir, 'bundle.js'), 'utf8');
  assert.doesNotMatch(text, /(?:import|require)[ (]*["']node:|from ["']node:/);
  return text;
}

const workerd = {
  id: 'runtime-workerd',
  group,
  title: 'workerd, without nodejs_compat',
  async run(env) {
    await prepare(env, ['esbuild@0.28', 'workerd@1']);
    const { url, refused } = await failingServer(env);
    env.write(
      'main.mjs',
      `import { runSuite } from './suite.mjs';
export default {
  async fetch() {
    return Response.json(await runSuite(${JSON.stringify(url)}, ${JSON.stringify(refused)}));
  },
};
`,
    );
    await bundle(env, [
      '--platform=neutral',
      '--format=esm',
      '--conditions=workerd,worker,browser',
    ]);
    env.write(
      'workerd.capnp',
      `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
const worker :Workerd.Worker = (
  modules = [(name = "main", esModule = embed "bundle.js")],
  compatibilityDate = "2025-06-01",
  globalOutbound = "internet",
);
`,
    );
    const bin = join(env.dir, 'node_modules/@cloudflare/workerd-linux-64/bin/workerd');
    if (!existsSync(bin))
      throw env.cannotRun('the binary of workerd for this platform is not installed');
    const script = `
import { spawn } from 'node:child_process';
const child = spawn(${JSON.stringify(bin)}, ['serve', 'workerd.capnp', '--control-fd=3'], { stdio: ['ignore', 'ignore', 'inherit', 'pipe'] });
let control = '';
child.stdio[3].on('data', async (data) => {
  control += data;
  const port = /"port":\\s*(\\d+)/.exec(control)?.[1];
  if (port === undefined) return;
  const response = await fetch('http://127.0.0.1:' + port);
  console.log(${JSON.stringify(MARK)} + await response.text());
  child.kill();
});
`;
    env.write('serve.mjs', script);
    const { stdout } = await env.exec('node', ['serve.mjs'], { timeoutMs: 120_000 });
    conclude(resultsOf(stdout));
    return { loaded: [env.versionOf('workerd')], asserted: [...ASSERTED, NO_NODE] };
  },
};

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

const chromium = {
  id: 'runtime-chromium',
  group,
  title: 'Chromium',
  async run(env) {
    const executablePath = CHROMIUM.find((path) => existsSync(path));
    if (executablePath === undefined) throw env.cannotRun('no Chromium is installed');
    await prepare(env, ['esbuild@0.28', 'playwright-core@1']);
    const pages = { '/': '<!doctype html><title>Temper</title>' };
    const { url, refused } = await failingServer(env, pages);
    env.write(
      'main.mjs',
      `import { runSuite } from './suite.mjs';
globalThis.results = runSuite(${JSON.stringify(url)}, ${JSON.stringify(refused)});
`,
    );
    await bundle(env, ['--platform=browser', '--format=iife']);
    env.write(
      'browse.mjs',
      `import { chromium } from 'playwright-core';
const browser = await chromium.launch({ executablePath: ${JSON.stringify(executablePath)}, args: ['--no-sandbox'] });
const page = await browser.newPage();
await page.goto(${JSON.stringify(url)});
await page.addScriptTag({ path: 'bundle.js' });
const results = await page.evaluate(() => globalThis.results);
console.log(${JSON.stringify(MARK)} + JSON.stringify(results));
console.error(browser.version());
await browser.close();
`,
    );
    const { stdout, stderr } = await env.exec('node', ['browse.mjs'], { timeoutMs: 180_000 });
    conclude(resultsOf(stdout));
    return { loaded: [`Chromium ${stderr.trim()}`], asserted: [...ASSERTED, NO_NODE] };
  },
};

/** Systems that CI runs the tests of the packages on; a machine runs only its own. */
const system = (id, platform, title, leg) => ({
  id: `runtime-${id}`,
  group,
  title,
  async run(env) {
    if (process.platform !== platform)
      throw env.cannotRun(
        `this machine is none. The workflow has a leg for it (job packages, ${leg}: unit tests, and what was built); what that leg finds is not part of this page`,
      );
    await prepare(env);
    env.write('main.mjs', main(await failingServer(env)));
    const { stdout } = await env.exec(process.execPath, ['main.mjs']);
    conclude(resultsOf(stdout));
    return { loaded: [`Node ${process.versions.node} on ${process.platform}`], asserted: ASSERTED };
  },
});

export default [
  system('macos', 'darwin', 'macOS', 'macos-latest'),
  system('windows', 'win32', 'Windows', 'windows-latest'),
  node('20.19'),
  node('22.15'),
  node('24'),
  node('26'),
  direct(
    'runtime-bun',
    'Bun',
    false,
    async () => ['npx', '--yes', 'bun@1'],
    (args) => args,
  ),
  direct(
    'runtime-deno',
    'Deno',
    false,
    async () => ['npx', '--yes', 'deno@2', 'run', '--allow-all', '--node-modules-dir=manual'],
    (args) => args.slice(0, 2),
    true,
  ),
  workerd,
  chromium,
];
