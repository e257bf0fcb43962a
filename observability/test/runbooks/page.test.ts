import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CASES } from './cases.ts';
import { matches, readPage } from './page.ts';

const docs = new URL('../../../docs/', import.meta.url);
const runbooks = readdirSync(new URL('runbooks', docs)).map((name) => `runbooks/${name}`);
const pages = ['operations.md', ...runbooks];
const pageOf = (path: string) => readPage(readFileSync(new URL(path, docs), 'utf8'));

describe('the pages for operators', () => {
  it.each(pages)('%s has no command that the suite does not run', (path) => {
    const { blocks, inline, others } = pageOf(path);
    // The service and its scenarios have suites of their own.
    const elsewhere = /^npm start$|^npm start -- /;
    expect(inline.filter((code) => !elsewhere.test(code))).toEqual([]);
    expect(others).toEqual([]);
    // An output is expected of every block but the setup, which prints nothing.
    const silent = blocks.filter(({ good }) => good === undefined);
    expect(silent.filter(({ run }) => !run.startsWith('DATA='))).toEqual([]);
  });

  it('have a case for every runbook', () => {
    expect(runbooks.map((path) => path.slice(9, -3)).sort()).toEqual(
      ['README', ...Object.keys(CASES)].sort(),
    );
    for (const id of Object.keys(CASES)) {
      const { blocks } = pageOf(`runbooks/${id}.md`);
      expect(blocks.some(({ bad }) => bad !== undefined)).toBe(true);
    }
  });
});

describe('readPage', () => {
  const page = [
    'Run `curl localhost` or `npm start`; see `docs`.',
    '',
    '1. Step.',
    '',
    '   ```sh',
    '   one',
    '     two',
    '   ```',
    '',
    '   Good:',
    '',
    '   ```text',
    '   1',
    '   ```',
    '',
    '   Bad:',
    '',
    '   ```text',
    '   2',
    '   ```',
    '',
    '```bash',
    'rm file',
    '```',
    '',
    '```',
    'kill 1',
    '```',
    '',
    '```',
    'client ── service',
    '```',
  ].join('\n');

  it('finds the blocks with their outputs, and every other command', () => {
    expect(readPage(page)).toEqual({
      blocks: [{ line: 5, run: 'one\n  two', good: '1', bad: '2' }],
      inline: ['curl localhost', 'npm start'],
      others: ['rm file', 'kill 1'],
    });
  });
});

describe('matches', () => {
  it.each([
    ['a 1\n', 'a N', true],
    ['a 0.5', 'a N', true],
    ['a 0', 'a N', false],
    ['a 0.0', 'a N', false],
    ['aN', 'a N', false],
    ['x\na\ny\nb\n', 'a\nb', true],
    ['b\na', 'a\nb', false],
    ['a and more', 'a', false],
    ['a and more', 'a…', true],
    ['  a', 'a', true],
    ['', '(nothing)', true],
    ['\n', '(nothing)', true],
    ['a', '(nothing)', false],
    ['a.b', 'a.b', true],
    ['aXb', 'a.b', false],
  ])('%j is as %j: %s', (output, printed, expected) => {
    expect(matches(output, printed)).toBe(expected);
  });
});
