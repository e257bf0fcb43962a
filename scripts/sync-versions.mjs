// Writes each package's version into its src/version.ts, after `changeset version` has moved them.
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

for (const manifest of globSync('packages/*/package.json')) {
  const file = join(dirname(manifest), 'src/version.ts');
  if (!existsSync(file)) continue;
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  const before = readFileSync(file, 'utf8');
  const after = before.replace(/VERSION(: string)? = '[^']*'/, `VERSION$1 = '${version}'`);
  if (!after.includes(`'${version}'`)) throw new Error(`${file} has no VERSION to set.`);
  if (after !== before) writeFileSync(file, after);
}
