// Every example of every README, checked by each compiler as a project that follows the README would have it: from
// packed tarballs, strict, without `skipLibCheck`, as an ES module and as CommonJS.
import assert from 'node:assert/strict';
import { EXAMPLES } from '../fixtures/readme/examples.mjs';
import { blocksOf, importLines, installed, partsOf, readText } from '../readme-text.mjs';
import { COMPILERS, configOf } from './typescript.mjs';

/** TypeScript before 5.2 does not know `using`. */
const knows = (version, code) => version !== '5.1' || !/^\s*(?:await )?using /m.test(code);

/** The example as it is printed, with declarations of what is its reader's. */
function modules(
  code,
  { imports = {}, scenarios = [{}], yours = scenarios[0].yours ?? [], types = {} },
) {
  const { imports: own, body } = partsOf(code);
  const names = new Set([...yours, ...Object.keys(types)]);
  const declared = [...names].map((name) => `declare const ${name}: ${types[name] ?? 'any'};`);
  const head = [...own, ...importLines(imports), ...declared];
  const within = body.replaceAll(/^export /gm, '');
  return {
    mts: [...head, body, 'export {};', ''].join('\n'),
    cts: [...head, `async function example() {\n${within}\n}`, 'void example;', ''].join('\n'),
  };
}

/** The errors that a compiler prints, by the file in which they are. */
const errorsOf = (printed) =>
  printed
    .split('\n')
    .map((line) => /^(\S.*?)\(\d+,\d+\): error /.exec(line) ?? /^()error /.exec(line))
    .filter((found) => found !== null)
    .map(({ input, 1: file }) => ({ file, line: input }));

/** The package of somebody else whose own declarations a compiler refuses. */
function strangerOf({ file }) {
  const found = /node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules\/)/.exec(file)?.[1];
  return found === undefined || found.startsWith('@temper/') ? undefined : found;
}

export default COMPILERS.map(({ version, node, modes }) => ({
  id: `readme-types-${version}`,
  group: 'README examples',
  title: `Types of every README example, TypeScript ${version}`,
  short: version === '7',
  async run(env) {
    const packages = new Set();
    const files = { mts: [], cts: [] };
    let left = 0;
    for (const [folder, examples] of Object.entries(EXAMPLES)) {
      const readme = readText(folder, 'README.md');
      for (const name of installed(readme)) packages.add(name);
      const blocks = blocksOf(readme);
      assert.equal(blocks.length, examples.length, `examples of ${folder}`);
      for (const [index, code] of blocks.entries()) {
        if (!knows(version, code)) {
          left++;
          continue;
        }
        for (const [extension, text] of Object.entries(modules(code, examples[index]))) {
          const file = `${folder.replace('packages/', '').replace('.', 'root')}-${index + 1}.${extension}`;
          env.write(file, text);
          files[extension].push(file);
        }
      }
    }
    const tools = [`typescript@${version}`, `@types/node@${node}`];
    await env.install([...packages], tools);
    const strangers = new Set();
    for (const mode of modes) {
      // A bundler reads every file as ESM.
      const all = mode === 'bundler' ? files.mts : [...files.mts, ...files.cts];
      env.write('tsconfig.json', configOf(mode, true, all));
      const { stdout, code } = await env.exec(
        'node',
        ['node_modules/typescript/bin/tsc', '-p', '.'],
        {
          mayFail: true,
          timeoutMs: 300_000,
        },
      );
      const errors = errorsOf(stdout);
      const ours = errors.filter((error) => strangerOf(error) === undefined);
      assert.deepEqual(
        ours.map(({ line }) => line),
        [],
        mode,
      );
      assert.equal(code === 0, errors.length === 0, `${mode}: ${stdout}`);
      for (const error of errors) strangers.add(strangerOf(error));
    }
    const asserted = [
      `${files.mts.length} examples as printed: ${modes.join(', ')}; ESM, and CommonJS but for bundlers`,
      'strict, with exactOptionalPropertyTypes and noUncheckedIndexedAccess, no skipLibCheck',
    ];
    if (left > 0)
      asserted.push(`${left} examples with \`using\` are left out, which it does not know`);
    if (strangers.size > 0)
      asserted.push(
        `it refuses the declarations of ${[...strangers].sort().join(', ')}, whatever uses them`,
      );
    return {
      loaded: tools.map((spec) => env.versionOf(spec.slice(0, spec.lastIndexOf('@')))),
      asserted,
    };
  },
}));
