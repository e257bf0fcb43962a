import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { generatedFiles } from './generated-files.ts';

/**
 * `generate` writes every generated file of the repository. With `--check` it writes nothing and exits
 * with 1 when a file is stale.
 */
const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const check = process.argv.includes('--check');
let stale = 0;

for (const [path, content] of generatedFiles()) {
  const file = join(root, path);
  if (current(file) === content) continue;
  stale++;
  if (check) {
    console.error(`${relative(root, file)} is stale`);
    continue;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
  console.log(`wrote ${relative(root, file)}`);
}
if (check && stale > 0) process.exit(1);

function current(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
