// pnpm reliability: sends every pair of policies through the outages, and writes the figures of docs/reliability.md.
import { writeDocument } from './document.ts';
import { hasVariant, PAIRS, passagesOf, VARIANTS } from './liveness.ts';
import { lineOf, readResults, toLine, writeResults } from './results.ts';
import { TRIPLES } from './triples.ts';

const passages: Record<string, string> = {};
for (const kinds of [...PAIRS, ...TRIPLES]) {
  for (const variant of VARIANTS) {
    if (variant === 'defaults' || hasVariant(kinds))
      passages[lineOf(kinds, variant)] = toLine(await passagesOf(kinds, variant));
  }
}
writeResults({ ...readResults(), passages });
writeDocument();
