import { describe, expect, it } from 'vitest';
import { compareWithKnown, prune, toKnown } from './baseline.mjs';
import { findCircles, shortestPath } from './circles.mjs';
import { applyExceptions, EXCEPTIONS } from './exceptions.mjs';

const violation = (what, line = 1) => ({ rule: 'otel', file: 'packages/a/src/b.ts', line, what });

describe('exceptions', () => {
  const exception = { rule: 'otel', files: 'packages/a/**/*.ts', what: ['x'], reason: 'Because.' };

  it('allows what an exception names and nothing else', () => {
    const found = [violation('x'), violation('y'), { ...violation('x'), rule: 'circle' }];
    expect(applyExceptions(found, [exception]).left).toEqual(found.slice(1));
  });

  it('allows every use in a file when the exception names none', () => {
    expect(applyExceptions([violation('y')], [{ ...exception, what: undefined }]).left).toEqual([]);
  });

  it('reports an exception that nothing needs', () => {
    expect(applyExceptions([violation('y')], [exception]).unused).toEqual([exception]);
  });

  it('has a reason for each exception', () => {
    for (const { reason } of EXCEPTIONS) expect(reason).toMatch(/^.{20,}\.$/);
  });
});

describe('known violations', () => {
  const known = toKnown([violation('x', 1), violation('x', 9), violation('y')]);

  it('counts equal violations of a file, wherever they stand', () => {
    expect(known).toEqual([
      { rule: 'otel', file: 'packages/a/src/b.ts', what: 'x', count: 2 },
      { rule: 'otel', file: 'packages/a/src/b.ts', what: 'y', count: 1 },
    ]);
    const moved = [violation('y', 70), violation('x', 80), violation('x', 90)];
    expect(compareWithKnown(moved, known)).toEqual({ fresh: [], gone: [] });
  });

  it('reports a violation that is not on the list', () => {
    const more = [violation('x'), violation('x', 2), violation('x', 3), violation('y')];
    expect(compareWithKnown(more, known).fresh).toEqual([violation('x', 3)]);
    expect(compareWithKnown([violation('z')], []).fresh).toEqual([violation('z')]);
  });

  it('reports an entry that no longer occurs, and prunes it', () => {
    const { fresh, gone } = compareWithKnown([violation('x')], known);
    expect(fresh).toEqual([]);
    expect(gone.map(({ what, count }) => [what, count])).toEqual([
      ['x', 1],
      ['y', 1],
    ]);
    expect(prune(known, gone)).toEqual([{ ...known[0], count: 1 }]);
  });
});

describe('circles', () => {
  const graph = (edges) =>
    new Map(Object.entries(edges).map(([from, to]) => [from, new Set(to.split(' '))]));

  it('finds each group of nodes that reach each other', () => {
    const edges = { a: 'b', b: 'c', c: 'a d', d: 'e', e: 'd f', f: 'g', h: 'h' };
    expect(findCircles(graph(edges))).toEqual([['a', 'b', 'c'], ['d', 'e'], ['h']]);
    expect(findCircles(graph({ a: 'b c', b: 'c d', c: 'd' }))).toEqual([]);
  });

  it('finds a circle of 100000 nodes without overflowing the stack', () => {
    const count = 100_000;
    const nodes = Array.from({ length: count }, (_, i) => [
      `${i}`,
      new Set([`${(i + 1) % count}`]),
    ]);
    expect(findCircles(new Map(nodes))[0]).toHaveLength(count);
  });

  it('finds the shortest way', () => {
    const edges = graph({ a: 'b c', b: 'd', c: 'e', d: 'f', e: 'd' });
    expect(shortestPath(edges, 'a', 'f')).toEqual(['a', 'b', 'd', 'f']);
    expect(shortestPath(edges, 'f', 'a')).toBeUndefined();
  });
});
