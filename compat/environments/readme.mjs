// Every example of every README, in an empty folder with what the README says to install, as an ES module and
// as CommonJS. What stands around an example is in fixtures/readme/examples.mjs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXAMPLES } from '../fixtures/readme/examples.mjs';
import { freePort } from '../processes.mjs';
import { blocksOf, importLines, installed, partsOf, readText } from '../readme-text.mjs';
import { startRedis } from '../telemetry/servers.mjs';

const PRELOAD = readFileSync(join(import.meta.dirname, '../fixtures/readme/preload.mjs'), 'utf8');

const packageOf = (specifier) =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** The example with what stands around it, in both module systems. */
function programs(code, { imports = {}, replace = [], before = '', after = '', ends = false }) {
  let text = code;
  for (const [from, to] of replace) {
    assert.ok(text.includes(from), `the example has no ${from}`);
    text = text.replaceAll(from, to);
  }
  const { imports: own, body } = partsOf(text);
  const more = importLines(imports);
  const end = ends ? '' : "console.log('done');\nprocess.exit(0);";
  const required = [...own, ...more]
    .filter((line) => !line.startsWith('import type'))
    .map((line) => line.replaceAll(/\btype \w+,? ?/g, '').replaceAll(' as ', ': '))
    .map((line) => line.replace(/^import (\{[\s\S]*\}) from (.*);$/, 'const $1 = require($2);'));
  const within = [before, body.replaceAll(/^export /gm, ''), after, end].join('\n');
  return {
    'example.mts': [...own, ...more, before, body, after, end].join('\n'),
    'example.cts': [...required, `void (async () => {\n${within}\n})();`].join('\n'),
  };
}

async function runExample(env, code, scenario, { variables, where }) {
  const { ends = false, prints, throws } = scenario;
  for (const [file, text] of Object.entries(programs(code, scenario))) {
    await env.exec('rm', ['-rf', 'run']);
    env.write(`run/${file}`, text);
    const { stdout, stderr, code } = await env.exec(
      'node',
      ['--disable-warning=ExperimentalWarning', '--import', '../preload.mjs', file],
      { cwd: join(env.dir, 'run'), variables, timeoutMs: 60_000, mayFail: true },
    );
    const printed = `${where}, ${file}, code ${code}:\n${stdout}\n${stderr}`;
    if (throws !== undefined) {
      assert.equal(code, 1, printed);
      assert.match(stderr, throws, printed);
      continue;
    }
    assert.equal(code, 0, printed);
    if (!ends) assert.ok(stdout.endsWith('done\n'), printed);
    if (prints !== undefined) assert.match(stdout + stderr, prints, printed);
  }
}

/** What is the reader's must be said to be theirs: the README names it in a paragraph with "your". */
function expectYours(readme, names, where) {
  for (const name of names) {
    const said = readme
      .split('\n\n')
      .some(
        (text) =>
          !text.startsWith('```') && text.includes(`\`${name}\``) && /\byours?\b/.test(text),
      );
    assert.ok(said, `${where}: the README does not say that ${name} is its reader's`);
  }
}

const row = ([folder, examples]) => {
  const name = folder === '.' ? 'root' : folder.replace('packages/', '');
  return {
    id: `readme-${name}`,
    group: 'README examples',
    title: folder === '.' ? 'README.md' : `README of @temper/${name}`,
    short: ['.', 'packages/retry'].includes(folder),
    async run(env) {
      const readme = readText(folder, 'README.md');
      const install = installed(readme);
      const blocks = blocksOf(readme);
      assert.equal(blocks.length, examples.length, 'examples');
      const needs = examples.map((example) => example.needs);
      const variables = { FREE_PORT: String(await freePort()) };
      if (needs.includes('redis'))
        variables.REDIS_URL = `redis://127.0.0.1:${await startRedis(env)}`;
      await env.install(install);
      env.write('preload.mjs', PRELOAD);
      let runs = 0;
      for (const [index, code] of blocks.entries()) {
        const { scenarios = [{}], ...common } = examples[index];
        const where = `example ${index + 1}`;
        for (const [, from] of code.matchAll(/ from '([^']+)'/g)) {
          if (from.startsWith('node:')) continue;
          assert.ok(install.includes(packageOf(from)), `${where}: npm install leaves out ${from}`);
        }
        for (const scenario of scenarios) {
          const whole = { ...common, ...scenario };
          expectYours(readme, whole.yours ?? [], where);
          await runExample(env, code, whole, { variables, where });
          runs++;
        }
      }
      return {
        loaded: install.map((one) => env.versionOf(one)),
        asserted: [
          `${blocks.length} examples run as printed, as ESM and as CommonJS, in ${runs} situations, and do what the text says`,
          "the README names all that they import, and what is its reader's",
        ],
      };
    },
  };
};

export default Object.entries(EXAMPLES).map(row);
