import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../pack.mjs';
import { readResults, scrub } from '../results.mjs';
import { GROUPS, tableOf } from '../table.mjs';

const folder = join(ROOT, 'compat/environments');
const rows = [];
for (const file of readdirSync(folder)) rows.push(...(await import(join(folder, file))).default);

it('docs/compatibility.md shows the committed results', () => {
  expect(readFileSync(join(ROOT, 'docs/compatibility.md'), 'utf8')).toBe(tableOf(readResults()));
});

it('every environment has a result, and every result an environment', () => {
  expect(readResults().map(({ id }) => id)).toEqual(rows.map(({ id }) => id).sort());
});

it('every environment is in a known group, with a title of its own', () => {
  for (const { group } of rows) expect(GROUPS).toContain(group);
  expect(new Set(rows.map(({ title }) => title)).size).toBe(rows.length);
});

it('no result failed', () => {
  expect(readResults().filter(({ result }) => result === 'failed')).toEqual([]);
});

it('results name no folder of a machine and no host', () => {
  expect(scrub('at /tmp/w/row/x.js', '/tmp/w/row', '/tmp/w')).toBe('at ./x.js');
  expect(scrub('GET https://registry.example:4873/x', '/a', '/b')).toBe('GET <host>/x');
  const committed = readFileSync(join(ROOT, 'compat/results.json'), 'utf8');
  expect(committed).not.toMatch(
    /\/tmp\/|\/root\/|\/home\/|\/work\/|https?:\/\/(?!127\.|localhost)/,
  );
});
