import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { pageOf } from '../src/page.ts';
import { addRun, cellsOf, findCell, type Results, readResults } from '../src/results.ts';
import type { Cell, Run } from '../src/run.ts';

const empty = (): Results => ({ node: '24.0.0', cpus: 2, load: 1.4, cells: [] });
const ours: Cell = { tool: '@temper/shutdown', row: 'Node', protocol: 'http' };
const peers: Cell = { tool: 'stoppable', row: 'Node', protocol: 'h2' };

function runOf(changes: Partial<Run>): Run {
  return {
    sent: 1000,
    lost: 0,
    reasons: {},
    losses: [],
    resetByKernel: [],
    refused: 240,
    inFlight: 200,
    endedMs: 300,
    end: '0',
    ...changes,
  };
}

it('adds up the runs of a cell', () => {
  const results = empty();
  addRun(results, ours, runOf({ inFlight: 210 }));
  addRun(results, ours, runOf({ lost: 3, reasons: { reset: 2, closed: 1 }, endedMs: 900 }));
  addRun(results, ours, runOf({ lost: 1, reasons: { reset: 1 }, end: 'SIGKILL' }));
  addRun(results, peers, runOf({ lost: 7 }));
  expect(findCell(results, ours)).toEqual({
    ...ours,
    runs: 3,
    losing: 2,
    sent: 3000,
    lost: 4,
    killed: 1,
    inFlight: 200,
    endedMs: 900,
    reasons: { reset: 3, closed: 1 },
  });
  expect(findCell(results, peers)).toMatchObject({ runs: 1, lost: 7 });
});

it('shows lost requests, the runs that lost any, and cells without a run', () => {
  const results = empty();
  addRun(results, ours, runOf({}));
  addRun(results, peers, runOf({ sent: 1200, lost: 7 }));
  addRun(results, peers, runOf({}));
  const page = pageOf(results);
  expect(page).toContain('| `@temper/shutdown` | Node | 0 of 1,000 | – | – |');
  expect(page).toContain('| `stoppable` | Node | – | – | **7 of 2,200** (1/2) |');
  expect(page).toContain('Each cell is 1 to 2 runs with Node 24.0.0 on 2 processors');
  expect(page).not.toContain('| `lightship`');
});

it('says why requests were lost with @temper/shutdown', () => {
  const results = empty();
  addRun(results, peers, runOf({ lost: 1, reasons: { reset: 1 } }));
  expect(pageOf(results)).toContain('with `@temper/shutdown`: none were.');
  addRun(results, ours, runOf({ lost: 1, reasons: { 'ECONNRESET on a new connection': 1 } }));
  expect(pageOf(results)).toContain('with `@temper/shutdown`: 1 × ECONNRESET on a new connection.');
});

it('ends with the note, if there is one', () => {
  const results = empty();
  addRun(results, ours, runOf({}));
  expect(pageOf(results)).toMatch(/none were\.\n$/);
  expect(pageOf({ ...results, note: 'Measured twice.' })).toMatch(/\n- Measured twice\.\n$/);
});

it('measures every framework with Temper, and its peers with the servers of Node', () => {
  const cells = cellsOf(false);
  expect(new Set(cells.map(({ tool, row }) => `${tool} ${row}`))).toEqual(
    new Set([
      ...cellsOf(true)
        .filter(({ tool }) => tool === '@temper/shutdown')
        .map(({ tool, row }) => `${tool} ${row}`),
      '@godaddy/terminus Node',
      'lightship Node',
      'http-terminator Node',
      'close-with-grace Node',
      'stoppable Node',
      'close() Node',
    ]),
  );
});

it('is published as the results say', () => {
  const page = readFileSync(new URL('../../docs/drain.md', import.meta.url), 'utf8');
  expect(page).toBe(pageOf(readResults()));
});
