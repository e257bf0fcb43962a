import { circuitBreaker } from '@temper/breaker';
import type { Executor } from '@temper/core';
import type { PolicyDescription } from '@temper/core/policy';
import { concurrency } from '@temper/ratelimit';
import { retry } from '@temper/retry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cached } from '../cached/cached.ts';
import { PipelineOrderError } from '../errors.ts';
import { fallback } from '../fallback/fallback.ts';
import { hedge } from '../hedge/hedge.ts';
import { timeout } from '../timeout/timeout.ts';
import { orderProblems } from './order.ts';
import { pipeline } from './pipeline.ts';

const limit = (name: string, timeoutMs: number) => timeout({ name, timeoutMs });
const again = (initialDelayMs: number) => retry({ name: 'again', initialDelayMs, jitter: 'none' });

function problems(...policies: readonly Executor[]): readonly string[] {
  try {
    pipeline({ name: 'p' }, ...policies);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(PipelineOrderError);
    return (error as PipelineOrderError).problems;
  }
}

describe('the order of a pipeline', () => {
  it('is refused when a retry can never wait for its first delay', () => {
    expect(problems(limit('total', 100), again(100))).toEqual([
      "'again' is inside 'total', which times out after 100 ms: its first delay is 100 ms, so it can never retry.",
    ]);
    expect(problems(limit('total', 101), again(100))).toEqual([]);
    expect(problems(again(100), limit('attempt', 50))).toEqual([]);
  });

  it('is checked with the longest timeout where it follows the latencies', () => {
    const observed = (maxMs: number) =>
      timeout({ name: 'total', timeoutMs: { quantile: 0.9, maxMs } });
    expect(problems(observed(100), again(100))).toEqual([
      "'again' is inside 'total', which times out after at most 100 ms: its first delay is 100 ms, so it can never retry.",
    ]);
    expect(problems(observed(101), again(100))).toEqual([]);
    expect(problems(observed(100), limit('b', 200))).toEqual([
      "'b' is inside 'total', which times out after at most 100 ms: its own timeout of 200 ms can never expire.",
    ]);
    expect(problems(observed(100), limit('b', 99))).toEqual([]); // either may be the shorter one
    expect(problems(limit('b', 100), observed(200))).toEqual([]);
  });

  it('is checked with the shortest delay that jitter allows', () => {
    const spread = retry({ initialDelayMs: 120, jitter: { ratio: 0.2 } });
    expect(problems(limit('total', 100), spread)).toEqual([]);
    expect(problems(limit('total', 96), spread)).toHaveLength(1);
    const full = retry({ initialDelayMs: 5000, jitter: 'full' });
    expect(problems(limit('total', 100), full)).toEqual([]);
  });

  it('is refused when two timeouts measure the same time, whichever is longer', () => {
    expect(problems(limit('a', 200), limit('b', 100))).toEqual([
      "'b' is inside 'a', which times out after 200 ms: nothing between them waits or retries, so only 'b' can ever time out.",
    ]);
    expect(problems(limit('a', 100), limit('b', 200))).toEqual([
      "'b' is inside 'a', which times out after 100 ms: its own timeout of 200 ms can never expire.",
    ]);
  });

  it('is refused when an attempt timeout is not shorter than the total timeout', () => {
    expect(problems(limit('total', 100), again(10), limit('attempt', 100))).toHaveLength(1);
    expect(problems(limit('total', 100), again(10), limit('attempt', 99))).toEqual([]);
    const timed = retry({ initialDelayMs: 10, attemptTimeoutMs: 100 });
    expect(problems(limit('total', 100), timed)).toHaveLength(1);
    expect(problems(timed, limit('attempt', 100))).toHaveLength(1);
    expect(problems(timed, limit('attempt', 50))).toHaveLength(1); // side by side
  });

  it('is checked with the knowledge that a limiter may wait, and a breaker does not', () => {
    const breaker = circuitBreaker();
    expect(problems(limit('total', 200), breaker, limit('attempt', 100))).toHaveLength(1);
    const queue = concurrency({ limit: 1 });
    expect(problems(limit('total', 200), queue, limit('attempt', 100))).toEqual([]);
    const kinds = pipeline({}, breaker, queue)
      .stats()
      .policies.map(({ kind }) => kind);
    expect(kinds).toEqual(['breaker', 'ratelimit']);
  });

  it('may have two timeouts with a policy between them that continues after the inner one', () => {
    const back = fallback({ handler: () => 1 });
    expect(problems(limit('total', 200), back, limit('inner', 100))).toEqual([]);
    expect(problems(limit('total', 200), hedge(), limit('inner', 100))).toEqual([]);
  });

  it('is refused when the time that is kept for another answer is all there is', () => {
    const keeping = (name: string, reserveMs: number) =>
      fallback({ name, handler: () => 1, reserveMs });
    expect(problems(limit('total', 100), keeping('a', 100))).toEqual([
      "'a' is inside 'total', which times out after 100 ms: it keeps 100 ms for an answer of its own, so the operation is never called.",
    ]);
    expect(problems(limit('total', 100), keeping('a', 99))).toEqual([]);
    expect(problems(keeping('a', 100), limit('attempt', 50))).toEqual([]);
    expect(problems(limit('total', 100), again(10), keeping('a', 100))).toHaveLength(1);
    expect(problems(retry({ attemptTimeoutMs: 100 }), keeping('a', 100))).toHaveLength(1);
    const old = cached({ name: 'old', reserveMs: 100 });
    expect(problems(limit('total', 100), old)).toEqual([
      "'old' is inside 'total', which times out after 100 ms: it keeps 100 ms for an answer of its own, so the operation is never called while it has an answer.",
    ]);
    const observed = timeout({ name: 'total', timeoutMs: { quantile: 0.9, maxMs: 100 } });
    expect(problems(observed, keeping('a', 100))).toHaveLength(1);
  });

  it('is checked with the time that others leave', () => {
    const keeping = (name: string, reserveMs: number) =>
      fallback({ name, handler: () => 1, reserveMs });
    expect(problems(limit('total', 100), keeping('a', 40), keeping('b', 60))).toEqual([
      "'b' is inside 'total', which times out after 100 ms, 40 ms of them for 'a': it keeps 60 ms for an answer of its own, so the operation is never called.",
    ]);
    expect(problems(limit('total', 100), keeping('a', 40), keeping('b', 59))).toEqual([]);
    expect(problems(limit('total', 100), keeping('a', 40), again(60))).toHaveLength(1);
    expect(problems(limit('total', 100), keeping('a', 40), limit('b', 60))).toHaveLength(1);
    expect(problems(limit('total', 100), keeping('a', 40), limit('b', 59))).toEqual([]);
    // A cache without an old answer leaves all of it.
    const old = cached({ reserveMs: 40 });
    expect(problems(limit('total', 100), old, limit('b', 60))).toEqual([]);
  });

  it('may have anything inside a run that several calls share, as no deadline of one ends it', () => {
    const shared = () => cached({ singleFlight: true });
    expect(problems(limit('total', 100), shared(), limit('run', 200))).toEqual([]);
    expect(problems(limit('total', 100), shared(), again(100))).toEqual([]);
    expect(problems(limit('total', 100), cached(), limit('run', 200))).toHaveLength(1);
  });

  it('is refused when it contains a policy twice, at any depth', () => {
    const breaker = circuitBreaker({ name: 'once' });
    expect(problems(breaker, pipeline({}, breaker))).toEqual([
      "'once' occurs twice, and would count each call twice.",
    ]);
  });

  it('is checked through nested pipelines', () => {
    expect(problems(limit('total', 50), pipeline({}, pipeline({}, again(100))))).toHaveLength(1);
  });

  it('is refused with the pipeline’s name and every mistake', () => {
    expect(() =>
      pipeline({ name: 'orders' }, limit('total', 50), again(100), limit('attempt', 60)),
    ).toThrow(
      "Pipeline 'orders' cannot work in this order: 'again' is inside 'total', which times out after 50 ms: its first delay is 100 ms, so it can never retry. 'attempt' is inside 'total', which times out after 50 ms: its own timeout of 60 ms can never expire.",
    );
  });

  it('may contain policies that do not describe themselves', () => {
    const silent = { execute: async () => 1 as never };
    expect(problems(limit('a', 200), silent, limit('b', 100))).toEqual([]);
    expect(problems(silent, silent)).toHaveLength(1); // but not to the same object twice
  });

  it.each<[string, (this: object) => unknown]>([
    [
      'throws',
      () => {
        throw new Error('not yet');
      },
    ],
    ['returns undefined', () => undefined],
    ['returns null', () => null],
    ['returns a promise', () => Promise.resolve({ kind: 'retry' })],
    ['returns a kind that is no string', () => ({ kind: 1 })],
    ['returns no kind', () => ({ timeoutMs: 1 })],
    ['returns a timeout that is no number', () => ({ kind: 'timeout', timeoutMs: '1' })],
    ['returns a reserve that is no number', () => ({ kind: 'fallback', reserveMs: '1' })],
    ['returns a flag that is none', () => ({ kind: 'cached', sharesRuns: 1 })],
    ['returns parts that are no array', () => ({ kind: 'pipeline', parts: 1 })],
    ['returns parts that are null', () => ({ kind: 'pipeline', parts: null })],
    ['returns parts that are no objects', () => ({ kind: 'pipeline', parts: [null, 1] })],
    [
      'returns a getter that throws',
      () => ({
        get kind() {
          throw new Error('hostile');
        },
      }),
    ],
  ])('may contain a policy whose describe %s: it counts as one of unknown kind', (_, describe) => {
    const foreign = { execute: async () => 1 as never, describe };
    expect(problems(limit('a', 200), foreign as never, limit('b', 100))).toEqual([]);
    expect(pipeline({}, foreign).stats().policies).toEqual([
      { name: 'policy', kind: 'policy', stats: undefined },
    ]);
  });

  it('may contain a policy that names itself as its part, or new parts for ever', () => {
    const nested = (parts: (self: object) => readonly object[]) => ({
      execute: async () => 1 as never,
      describe(): PolicyDescription {
        return { kind: 'group', parts: parts(this) };
      },
    });
    const itself = nested((self) => [self, self]);
    const around = nested(() => [{ describe: () => ({ kind: 'group', parts: [around] }) }]);
    const endless = nested(() => [nested(() => endless.describe().parts ?? [])]);
    for (const foreign of [itself, around, endless]) {
      expect(problems(limit('a', 200), foreign, limit('b', 100))).toEqual([]);
    }
  });

  it('may contain a policy whose name and statistics are of another kind', () => {
    const foreign = { execute: async () => 1 as never, name: 7, stats: 'none' };
    expect(pipeline({}, foreign).stats().policies).toEqual([
      { name: 'policy', kind: 'policy', stats: undefined },
    ]);
    const hostile = {
      execute: async () => 1 as never,
      get name(): string {
        throw new Error('hostile');
      },
    };
    expect(problems(hostile)).toEqual([]);
  });

  it('is accepted when each timeout is shorter than the one around it, whatever else it contains', () => {
    const description = fc.record({
      kind: fc.constantFrom('retry', 'hedge', 'fallback', 'cached', 'policy', 'ratelimit'),
      repeats: fc.boolean(),
      firstDelayMs: fc.option(fc.integer({ min: 0, max: 49 }), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.array<PolicyDescription>(description, { maxLength: 6 }), (descriptions) => {
        const layers = descriptions.map((one) => ({ describe: () => one }));
        const total = { describe: () => ({ kind: 'timeout', timeoutMs: 100 }) };
        const attempt = { describe: () => ({ kind: 'timeout', timeoutMs: 50 }) };
        expect(orderProblems([total, ...layers])).toEqual([]);
        if (layers.length > 0) expect(orderProblems([total, ...layers, attempt])).toEqual([]);
      }),
    );
  });
});
