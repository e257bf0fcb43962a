// What READMEs say: their examples, and what they tell their readers to install.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './pack.mjs';

export const readText = (folder, file) => readFileSync(join(ROOT, folder, file), 'utf8');

/** All that a README says to install, in blocks and in sentences. */
export function installed(readme) {
  const words = [...readme.matchAll(/npm install ([^\n`]+)/g)].flatMap(([, list]) =>
    list.split(' '),
  );
  return [...new Set(words.filter((word) => !word.startsWith('--')))];
}

/** The code of each example, in order. */
export const blocksOf = (readme) =>
  [...readme.matchAll(/^```(?:ts|js)\n([\s\S]*?)^```$/gm)].map(([, code]) => code);

/** The imports of an example, and the rest of it. */
export function partsOf(code) {
  const imports = [...code.matchAll(/^import [\s\S]*?;$/gm)].map(([line]) => line);
  return { imports, body: code.replaceAll(/^import [\s\S]*?;\n/gm, '') };
}

/** Imports of an entry of fixtures/readme/examples.mjs, as source text. */
export const importLines = (imports) =>
  Object.entries(imports).map(([from, names]) => `import { ${names} } from '${from}';`);
