import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { faultsOf, pageOf } from './rules/weight.mjs';
import { ROOT, readPackages } from './rules/workspace.mjs';

const read = (file) => readFileSync(join(ROOT, file), 'utf8');
const measured = JSON.parse(read('scripts/weight.json'));

it('docs/weight.md shows what was measured', () => {
  expect(read('docs/weight.md')).toBe(pageOf(measured));
});

it('weighs every published entry point, and four libraries beside them', () => {
  const doors = readPackages()
    .filter(({ published }) => published)
    .flatMap(({ id, doors }) => doors.map((subpath) => id + subpath.slice(1)));
  expect(measured.entries.map(({ name }) => name)).toEqual(doors);
  const names = measured.others.map(({ name }) => name);
  for (const name of ['cockatiel', 'opossum', 'p-retry', 'rate-limiter-flexible'])
    expect(names).toContain(name);
});

it('finds no fault in what was measured', () => {
  expect(faultsOf(measured.entries)).toEqual([]);
  for (const { bytes, files, importMs, requireMs, heapBytes } of measured.entries)
    for (const figure of [bytes, files, importMs, requireMs, heapBytes])
      expect(figure).toBeGreaterThan(0);
});

it('names what must not be: the API loaded, and too many files', () => {
  const light = { name: '@temper/retry', ownFiles: 4, loadsApi: false };
  expect(faultsOf([light])).toEqual([]);
  expect(faultsOf([{ ...light, loadsApi: true }])).toEqual([
    expect.stringContaining('@temper/retry loads @opentelemetry/api'),
  ]);
  expect(faultsOf([{ ...light, name: '@temper/testkit', loadsApi: true }])).toEqual([]);
  expect(faultsOf([{ ...light, ownFiles: 60 }])).toEqual([expect.stringContaining('60 files')]);
});

it('says of each aim whether it is missed', () => {
  const row = (name, importMs) => ({ name, bytes: 1, files: 1, importMs, heapBytes: 1 });
  const page = pageOf({
    node: '24.0.0',
    runs: 1,
    others: [row('@opentelemetry/api', 20)],
    entries: [row('quick', 30), row('slow', 30.1)],
    uses: [
      { name: 'small', bytes: 1000, aim: 1000 },
      { name: 'large', bytes: 1001, aim: 1000 },
      { name: 'free', bytes: 1001 },
    ],
  });
  expect(page).toContain('1 of 2 do; these take longer: `slow` (30.1).');
  expect(page).toContain('small, bundled alone, should have at most 1.0 KB, and has 1.0: met.');
  expect(page).toContain('large, bundled alone, should have at most 1.0 KB, and has 1.0: missed.');
  expect(page).toContain('free, bundled alone, has 1.0 KB; no aim is set.');
});
