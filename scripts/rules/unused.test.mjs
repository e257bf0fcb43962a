import { expect, it } from 'vitest';
import { adviceOn, findingsOf } from './unused.mjs';

it('reads each kind of finding out of a report of knip', () => {
  const issues = [
    {
      file: 'a.ts',
      files: [{ name: 'a.ts' }],
      exports: [{ name: 'b', line: 3, col: 1, pos: 9 }],
      types: [],
      duplicates: [
        [
          { name: 'c', line: 4 },
          { name: 'd', line: 5 },
        ],
      ],
      enumMembers: [{ namespace: 'E', name: 'f', line: 6 }],
    },
  ];
  expect(findingsOf({ issues })).toEqual([
    { rule: 'file', file: 'a.ts', line: 1, what: 'a.ts' },
    { rule: 'export', file: 'a.ts', line: 3, what: 'b' },
    { rule: 'duplicates', file: 'a.ts', line: 4, what: 'c' },
    { rule: 'duplicates', file: 'a.ts', line: 5, what: 'd' },
    { rule: 'enum member', file: 'a.ts', line: 6, what: 'E.f' },
  ]);
});

it('refuses a report of another shape', () => {
  expect(() => findingsOf({ issues: [{ file: 'a.ts', exports: 'b' }] })).toThrow(
    /no list in 'exports'/,
  );
});

it('tells what is missing from what is not needed', () => {
  expect(adviceOn('export')).toMatch(/^nothing uses it\./);
  expect(adviceOn('unlisted')).toMatch(/^is used but is no dependency\./);
});
