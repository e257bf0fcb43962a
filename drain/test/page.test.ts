import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { pageOf } from '../src/page.ts';
import { cellsOf, findCell, readResults } from '../src/results.ts';
import { PEERS } from '../src/tools.ts';

describe('docs/drain.md', () => {
  const results = readResults();

  it('is written from the results', () => {
    const page = readFileSync(new URL('../../docs/drain.md', import.meta.url), 'utf8');
    expect(page).toBe(pageOf(results));
  });

  it('has every cell, with 190 requests in flight or more at each SIGTERM', () => {
    const missing = cellsOf(false).filter(
      (cell) => (findCell(results, cell)?.inFlight ?? 0) < 190,
    );
    expect(missing).toEqual([]);
  });

  it('shows that Temper loses fewer requests than each peer, with the servers of Node', () => {
    const lostOf = (tool: string): number =>
      results.cells
        .filter((cell) => cell.tool === tool && cell.row === 'Node')
        .reduce((sum, { lost, sent }) => sum + lost / sent, 0);
    for (const peer of PEERS) expect(lostOf('@temper/shutdown')).toBeLessThan(lostOf(peer) / 10);
  });
});
