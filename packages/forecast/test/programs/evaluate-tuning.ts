// The part of `pnpm forecast:evaluate` on tuning: writes docs/tuning.json and the tables.
import { readFileSync, writeFileSync } from 'node:fs';
import { fill } from '../evaluation/page.ts';
import { evaluateTuning, tuningParts } from '../tuning/evaluate.ts';

const root = new URL('../../', import.meta.url);
const evaluation = await evaluateTuning((line) => console.error(line));
writeFileSync(new URL('docs/tuning.json', root), `${JSON.stringify(evaluation, null, 2)}\n`);
const parts = tuningParts(evaluation);
for (const page of ['docs/tuning.md', 'README.md']) {
  const file = new URL(page, root);
  writeFileSync(file, fill(readFileSync(file, 'utf8'), parts));
}
console.log(`${parts['tuning']}\n\n${parts['coverage']}`);
