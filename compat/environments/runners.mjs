// Test runners and their fake timers: every policy, used before the timers are replaced, while they are, and
// after they are restored. See fixtures/fake-timers.cjs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const group = 'Test runners';
/** What the scenarios use, by the name that they know it under. */
const EVERYWHERE = {
  retry: '@temper/retry',
  breaker: '@temper/breaker',
  ratelimit: '@temper/ratelimit',
  recovery: '@temper/recovery',
  health: '@temper/health',
  limits: '@temper/ratelimit/shared',
  fleet: '@temper/breaker/shared',
};
/** Packages for Node alone. */
const IN_NODE = {
  ...EVERYWHERE,
  middleware: '@temper/ratelimit/http',
  audit: '@temper/audit',
  memory: '@temper/audit/memory',
  shipping: '@temper/audit/ship',
  watchdog: '@temper/health/watchdog',
  shutdown: '@temper/shutdown',
  http: 'node:http',
};
const PACKAGES = [
  ...new Set(
    Object.values(IN_NODE)
      .filter((name) => name.startsWith('@temper/'))
      .map((name) => name.split('/').slice(0, 2).join('/')),
  ),
];
const API = '@opentelemetry/api@1';
const fixture = (name) => readFileSync(join(import.meta.dirname, '../fixtures', name), 'utf8');
const TELEMETRY = fixture('testkit-telemetry.cjs');
/** Of the scenarios of all platforms, and of those of Node besides. */
const COUNT = { everywhere: 19, inNode: 26, withoutSockets: 23, withoutHealth: 17 };

const requiring = (packages) => `
const { define } = require('./fake-timers.cjs');
const packages = {
${Object.entries(packages)
  .map(([name, from]) => `  ${name}: require('${from}'),`)
  .join('\n')}
};
`;

const importing = (packages) => `
${Object.entries(packages)
  .map(([name, from]) => `import * as ${name} from '${from}';`)
  .join('\n')}
import { createRequire } from 'node:module';
const { define } = createRequire(import.meta.url)('./fake-timers.cjs');
const packages = { ${Object.keys(packages).join(', ')} };
`;

const asserted = (count) => [
  `${count} kinds of waits end at their time, and not before, under fake timers and in real time`,
  'policies used before the timers were replaced, and policies made while they were',
  count !== COUNT.everywhere
    ? 'policies, shared limits, a fleet of breakers, shipping of an audit log, health checks, watchdog, shutdown'
    : 'policies, shared limits, a fleet of breakers, health checks',
  ...(count === COUNT.withoutSockets
    ? ['not its servers and watchdog: no socket works without `process.nextTick`']
    : []),
];

async function prepare(env, others, manifest) {
  await env.install([...PACKAGES, API], others, manifest);
  for (const name of ['fake-timers.cjs', 'fake-timers-services.cjs'])
    env.write(name, fixture(name));
}

const sayVersion = (stdout) => `Node ${stdout.trim().slice(1)}`;

const nodeTest = (version, apis) => ({
  id: `runner-node-test-${version}${apis === undefined ? '' : `-${apis.join('-').toLowerCase()}`}`,
  group,
  title: `node:test of Node ${version}, mock.timers of ${apis?.join(' and ') ?? 'everything'}`,
  short: version === '24' && apis === undefined,
  async run(env) {
    const node = await env.node(version);
    await prepare(env);
    env.write(
      'waits.test.cjs',
      `const { it, mock } = require('node:test');${requiring(IN_NODE)}
define(packages, {
  it,
  install: () => mock.timers.enable(${JSON.stringify(
    // The timers of Node 20 cannot be enabled without a list.
    apis && { apis },
  )} ?? { apis: ['setInterval', 'setTimeout', 'setImmediate', 'Date'] }),
  advance: (ms) => mock.timers.tick(ms),
  restore: () => mock.timers.reset(),
});
`,
    );
    const { stdout } = await env.exec(node, ['--test', 'waits.test.cjs']);
    assert.match(stdout, new RegExp(`^(?:#|ℹ) pass ${COUNT.inNode}$`, 'm'));
    assert.match(stdout, /^(?:#|ℹ) fail 0$/m);
    return {
      loaded: [sayVersion((await env.exec(node, ['-v'])).stdout)],
      asserted: asserted(COUNT.inNode),
    };
  },
});

const vitest = (major, options, what) => ({
  id: `runner-vitest-${major}${what === undefined ? '' : '-timers-alone'}`,
  group,
  title: `Vitest ${major}${what ?? ''}`,
  short: major === 5,
  async run(env) {
    await prepare(env, [`vitest@${major}`], { type: 'module' });
    env.write(
      'waits.test.js',
      `import { it, vi } from 'vitest';${importing(IN_NODE)}
define(packages, {
  it,
  install: () => vi.useFakeTimers(${options ?? ''}),
  advance: (ms) => vi.advanceTimersByTime(ms),
  restore: () => vi.useRealTimers(),
});
`,
    );
    const { stdout } = await env.exec('npx', ['vitest', 'run', '--testTimeout=30000']);
    assert.match(stdout, new RegExp(`Tests +${COUNT.inNode} passed \\(${COUNT.inNode}\\)`));
    return { loaded: [env.versionOf('vitest')], asserted: asserted(COUNT.inNode) };
  },
});

/** Legacy timers have no clock: what passes before Temper first reads the time is not seen. */
const LEGACY_INSTALL = `{
    jest.useFakeTimers({ legacyFakeTimers: true });
    require('@temper/core').systemClock.monotonic();
  }`;

const ENDS_AT_ONCE = (environment) => `/** @jest-environment ${environment} */
const { timeout } = require('@temper/recovery');
const policy = timeout({ timeoutMs: 300 });
it('in real time', () => policy.execute(async () => 1));
it('with fake timers', async () => {
  jest.useFakeTimers();
  const call = policy.execute(() => new Promise((resolve) => setTimeout(resolve, 100)));
  await Promise.resolve();
  jest.advanceTimersByTime(100);
  await call;
  jest.useRealTimers();
});
`;

const jest = (major, kind, environment, install) => ({
  id: `runner-jest-${major}-${kind}`,
  group,
  title: `Jest ${major}, ${kind === 'jsdom' ? 'jsdom, whose timers are numbers' : `${kind} timers`}`,
  short: major === 30 && kind === 'modern',
  async run(env) {
    const extra = environment === 'jsdom' ? [`jest-environment-jsdom@${major}`] : [];
    const packages = environment === 'jsdom' ? EVERYWHERE : IN_NODE;
    const count = environment === 'jsdom' ? COUNT.everywhere : COUNT.inNode;
    await prepare(env, [`jest@${major}`, ...extra]);
    env.write(
      'waits.test.js',
      `/** @jest-environment ${environment} */${requiring(packages)}
jest.setTimeout(30000);
define(packages, {
  it,
  install: () => ${install},
  advance: (ms) => jest.advanceTimersByTime(ms),
  restore: () => jest.useRealTimers(),
});
`,
    );
    // Ends within milliseconds of what is left of its timers, and takes its globals with it.
    for (const name of ['ends', 'ends-too'])
      env.write(`${name}.test.js`, ENDS_AT_ONCE(environment));
    const { stderr } = await env.exec('npx', ['jest', '--runInBand']);
    const all = count + 4;
    assert.match(stderr, new RegExp(`Tests: +${all} passed, ${all} total`));
    assert.doesNotMatch(stderr, /did not exit/);
    const more = [
      'timers that are left when a test file is over end no test run',
      ...(kind === 'legacy' ? ['time counts from its first reading'] : []),
    ];
    return { loaded: [env.versionOf('jest')], asserted: [...asserted(count), ...more] };
  },
});

/** Sinon replaces `process.nextTick`, without which no socket of Node works, whoever uses it. */
const { http: _, ...WITHOUT_SOCKETS } = IN_NODE;

const sinon = (name, version, install) => ({
  id: `runner-${name.replace('@sinonjs/', 'sinonjs-')}`,
  group,
  title: `${name} ${version}`,
  async run(env) {
    await prepare(env, [`${name}@${version}`]);
    env.write(
      'waits.test.cjs',
      `const { it } = require('node:test');${requiring(WITHOUT_SOCKETS)}
const fake = require('${name}');
let clock;
let passed = 0;
// Reporters write with nextTick and lose what they report meanwhile.
process.on('exit', () => require('node:fs').writeSync(1, 'passed: ' + passed + '\\n'));
define(packages, {
  it: (title, test) => it(title, async () => {
    await test();
    passed++;
  }),
  install: () => { clock = ${install}; },
  advance: (ms) => clock.tick(ms),
  restore: () => { clock?.${name === 'sinon' ? 'restore' : 'uninstall'}(); clock = undefined; },
});
`,
    );
    // Ends with a code of its own when a test fails.
    const { stdout } = await env.exec('node', ['waits.test.cjs']);
    assert.match(stdout, new RegExp(`^passed: ${COUNT.withoutSockets}$`, 'm'));
    return { loaded: [env.versionOf(name)], asserted: asserted(COUNT.withoutSockets) };
  },
});

const { health: _health, ...WITHOUT_HEALTH } = EVERYWHERE;

const bun = {
  id: 'runner-bun-test',
  group,
  title: 'bun:test',
  async run(env) {
    await prepare(env);
    env.write(
      'waits.test.js',
      `import { it, jest } from 'bun:test';${importing(WITHOUT_HEALTH)}
define(packages, {
  it: (title, test) => it(title, test, 30000),
  install: () => jest.useFakeTimers(),
  advance: (ms) => jest.advanceTimersByTime(ms),
  restore: () => jest.useRealTimers(),
});
`,
    );
    const { stdout, stderr } = await env.exec('npx', ['--yes', 'bun@1', 'test']);
    assert.match(stdout + stderr, new RegExp(`^ *${COUNT.withoutHealth} pass$`, 'm'));
    assert.match(stdout + stderr, /^ *0 fail$/m);
    const { stdout: version } = await env.exec('npx', ['--yes', 'bun@1', '--version']);
    return {
      loaded: [`Bun ${version.trim()}`],
      asserted: asserted(COUNT.withoutHealth).with(
        2,
        'policies, shared limits, a fleet of breakers; a background health check fails, and @temper/health is for Node',
      ),
    };
  },
};

/** An SDK of each major version, with the packages of its time. */
const testkit = (major, packages) => ({
  id: `runner-testkit-sdk-${major}`,
  group,
  title: `@temper/testkit with OpenTelemetry SDK ${major}`,
  async run(env) {
    const names = packages.map((spec) => `@opentelemetry/${spec}`);
    await env.install(['@temper/retry', '@temper/testkit', ...names]);
    env.write('telemetry.cjs', TELEMETRY);
    const variables = packages.some((name) => name.startsWith('api-logs')) ? { LOGS_API: '1' } : {};
    const { stdout } = await env.exec('node', ['telemetry.cjs'], { variables });
    assert.equal(stdout, 'as expected\n');
    return {
      loaded: packages.map((spec) => env.versionOf(`@opentelemetry/${spec.split('@')[0]}`)),
      asserted: [
        'spans with parents, metrics and log records are found; no SDK is loaded before it is asked for',
        "the repository's own helpers are not in the package",
      ],
    };
  },
});

const TIMERS_ALONE = "{ toFake: ['setTimeout', 'clearTimeout'] }";

export default [
  ...['20.19', '22.15', '24', '26'].map((version) => nodeTest(version)),
  nodeTest('24', ['setTimeout']),
  ...[2, 3, 4, 5].map((major) => vitest(major)),
  vitest(5, TIMERS_ALONE, ', nothing but timers replaced'),
  ...[29, 30].flatMap((major) => [
    jest(major, 'modern', 'node', 'jest.useFakeTimers()'),
    jest(major, 'legacy', 'node', LEGACY_INSTALL),
    jest(major, 'jsdom', 'jsdom', 'jest.useFakeTimers()'),
  ]),
  sinon('sinon', '21', 'fake.useFakeTimers()'),
  sinon('@sinonjs/fake-timers', '15', 'fake.install()'),
  bun,
  testkit('1.30', [
    'api@1.9',
    'api-logs@0.57',
    'sdk-trace-base@~1.30.0',
    'sdk-metrics@~1.30.0',
    'sdk-logs@0.57',
    'context-async-hooks@~1.30.0',
  ]),
  testkit('2', [
    'api@1.9',
    'api-logs@0.200',
    'sdk-trace-base@2',
    'sdk-metrics@2',
    'sdk-logs@0.200',
    'context-async-hooks@2',
  ]),
  testkit('3', ['api@1.10', 'sdk-trace@3', 'sdk-metrics@3', 'sdk-logs@3', 'context-async-hooks@3']),
];
