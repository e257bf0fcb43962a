import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lowestOf } from './rules/engines.mjs';
import { isTest, listFiles, ROOT, readPackages } from './rules/workspace.mjs';

const readJson = (file) => JSON.parse(readFileSync(join(ROOT, file), 'utf8'));
const { tasks } = readJson('turbo.json');
const { scripts } = readJson('package.json');
const published = readPackages().filter((one) => one.published);
const isLibrary = ({ doors }) => doors.length > 0;
const libraries = published.filter(isLibrary);
const commands = published.filter((one) => !isLibrary(one));

it.each(['//#check:sizes', '//#api:check'])(
  '%s waits for the build of every published package that can be imported',
  (task) => {
    expect(tasks[task].dependsOn.toSorted()).toEqual(
      libraries.map(({ id }) => `${id}#build`).sort(),
    );
  },
);

it('runs every check in `pnpm check` and in the tests', () => {
  const checks = Object.keys(scripts).filter((name) =>
    /^check:|^api:check$|^test:scripts$/.test(name),
  );
  const bootstrap = readFileSync(join(ROOT, 'scripts/bootstrap.mjs'), 'utf8');
  for (const check of checks) {
    expect(scripts.check.split(' ')).toContain(check);
    expect(bootstrap).toContain(`'${check}'`);
    expect(tasks).toHaveProperty([`//#${check}`]);
  }
});

it.each(libraries.map(({ id, folder }) => [id, folder]))(
  '%s has ES modules, a bundle for Node and a CommonJS build of every entry point, with types',
  (_, folder) => {
    const manifest = readJson(`${folder}/package.json`);
    expect(manifest).toMatchObject({ type: 'module', sideEffects: false });
    expect(manifest.scripts.build).toBe('tsc -b && node ../../scripts/build-bundles.mjs');
    // For tools that do not read `exports`.
    const { types, default: main } = manifest.exports['.'].require;
    expect(manifest).toMatchObject({ main, types });
    // What the repository alone imports is not published.
    const exported = manifest.publishConfig.exports ?? manifest.exports;
    const subpaths = Object.keys(exported).filter((path) => !/^\.$|\.json$/.test(path));
    for (const subpath of subpaths) expect(subpath).toMatch(/^\.\/[\w-]+$/);
    if (subpaths.length > 0) {
      expect(manifest.files).toContain('*/package.json');
      expect(manifest.scripts).toMatchObject({
        prepack: 'node ../../scripts/entry-folders.mjs write',
        postpack: 'node ../../scripts/entry-folders.mjs remove',
      });
    }
    for (const [subpath, target] of Object.entries(exported)) {
      expect(manifest.exports[subpath]).toEqual(target);
      if (subpath === './package.json') continue;
      const path = /^\.\/dist\/(.*)\.js$/.exec(target.import.default)[1];
      // In this order: the first condition that matches wins.
      expect(JSON.stringify(target)).toBe(
        JSON.stringify({
          import: {
            types: `./dist/${path}.d.ts`,
            node: `./dist/node/${path}.js`,
            default: `./dist/${path}.js`,
          },
          require: { types: `./dist/cjs/${path}.d.ts`, default: `./dist/cjs/${path}.js` },
        }),
      );
    }
  },
);

it('takes microtasks and turns of the event loop when a module loads, as test runners replace them later', () => {
  const late = listFiles()
    .filter((file) => file.startsWith('packages/') && !isTest(file) && !file.includes('/testkit/'))
    .filter((file) =>
      /(?<![.\w])(?:queueMicrotask|setImmediate|process\.nextTick)\(/.test(
        readFileSync(join(ROOT, file), 'utf8'),
      ),
    );
  expect(late).toEqual([]);
});

it.each(commands.map(({ id, folder }) => [id, folder]))(
  '%s cannot be imported, and is a command with nothing to install beside it',
  (_, folder) => {
    const manifest = readJson(`${folder}/package.json`);
    const files = Object.values(manifest.bin);
    expect(files).not.toHaveLength(0);
    for (const file of files) {
      expect(file).toMatch(/^\.\/dist\/.*\.mjs$/);
      expect(manifest.files).toContain(file.slice('./'.length));
    }
    expect(manifest.type).toBe('module');
    expect(Object.keys(manifest.exports)).toEqual(['./package.json']);
    expect(manifest).not.toHaveProperty('dependencies');
    expect(manifest).not.toHaveProperty('peerDependencies');
  },
);

describe('the workflow', () => {
  const workflow = readFileSync(join(ROOT, '.github/workflows/ci.yml'), 'utf8');

  it('pins every action to a commit, and names its version', () => {
    const used = [...workflow.matchAll(/uses: (.*)/g)].map(([, action]) => action);
    expect(used.length).toBeGreaterThan(0);
    for (const action of used)
      expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it('gives its jobs nothing but reading the repository', () => {
    expect(workflow).toMatch(/^permissions: \{\}$/m);
    const granted = [...workflow.matchAll(/permissions:\n((?: {6}.*\n)+)/g)].map(
      ([, list]) => list,
    );
    expect(new Set(granted)).toEqual(new Set(['      contents: read\n']));
    expect(workflow.match(/persist-credentials: false/g)?.length).toBe(
      workflow.match(/actions\/checkout@/g)?.length,
    );
  });

  it('runs the unit tests and what was built under the Node that a leg names, after the one that builds', () => {
    const job = workflow.slice(workflow.indexOf('\n  packages:'), workflow.indexOf('\n  servers:'));
    const steps = [...job.matchAll(/^ +(?:- run|node-version): (.*)$/gm)].map(([, value]) => value);
    expect(steps.filter((step) => !/pnpm/.test(step))).toEqual([
      '24',
      `\${{ matrix.node }}`,
      'node scripts/test-packages.mjs',
      'node compat/built.mjs',
    ]);
    expect(job).toContain('os: [ubuntu-latest, macos-latest, windows-latest]');
    for (const node of ['20.19', '22.15', '24', '26']) expect(job).toContain(`"${node}"`);
  });

  it('tests the packages under the lowest Node that they claim, and with the pnpm of the repository', () => {
    const lowest = published.map(({ folder }) => readJson(`${folder}/package.json`).engines.node);
    for (const range of new Set(lowest)) expect(workflow).toContain(`"${lowestOf(range)}"`);
    const { packageManager } = readJson('package.json');
    expect(workflow).toContain(`--package=${packageManager} `);
  });
});

it('gives each decision in docs/adr a number of its own, which its title has too', () => {
  const folder = join(ROOT, 'docs/adr');
  const files = readdirSync(folder).sort();
  // Decisions that are written at the same time may leave a gap, but never share a number.
  const numbers = files.map((file) => Number(/^(\d{4})-/.exec(file)?.[1]));
  expect(numbers).toEqual([...new Set(numbers)]);
  expect(numbers.every((number) => number > 0)).toBe(true);
  for (const file of files) {
    const title = readFileSync(join(folder, file), 'utf8').split('\n')[0];
    expect(title, file).toMatch(new RegExp(`^# ${Number(file.slice(0, 4))}\\. `));
  }
});

it('every test of commands against a model says how often it reached each situation', () => {
  const models = listFiles()
    .filter((file) => file.startsWith('packages/') && isTest(file))
    .map((file) => [file, readFileSync(join(ROOT, file), 'utf8')])
    .filter(([file, text]) => text.includes('fc.commands(') && !file.includes('/testkit/'));
  expect(models.length).toBeGreaterThanOrEqual(5);
  for (const [file, text] of models) expect(text, file).toMatch(/\.expectAll\(\d*\)/);
});

it('every test of what other libraries teach names the issue that it learned from', () => {
  const titles = listFiles()
    .filter((file) => file.includes('/test/lessons/'))
    .flatMap((file) => [
      ...readFileSync(join(ROOT, file), 'utf8').matchAll(/\bit\(\s*['"](.*)['"],/g),
    ])
    .map(([, title]) => title);
  expect(titles.filter((title) => !/^[\w./-]+#\d+: /.test(title))).toEqual([]);
  expect(titles.length).toBeGreaterThanOrEqual(80);
});
