import { circuitBreaker } from '@temper/breaker';
import type { Executor, PolicyDescription } from '@temper/core';
import { concurrency } from '@temper/ratelimit';
import { retry } from '@temper/retry';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
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
  it('is refused when a retry can never wait out its first delay', () => {
    expect(problems(limit('total', 100), again(100))).toEqual([
      "'again' is inside 'total', which gives up after 100 ms: it waits 100 ms first, and can never call again.",
    ]);
    expect(problems(limit('total', 101), again(100))).toEqual([]);
    expect(problems(again(100), limit('attempt', 50))).toEqual([]);
  });

  it('reckons with the least that jitter leaves of a delay', () => {
    const spread = retry({ initialDelayMs: 120, jitter: { ratio: 0.2 } });
    expect(problems(limit('total', 100), spread)).toEqual([]);
    expect(problems(limit('total', 96), spread)).toHaveLength(1);
    const full = retry({ initialDelayMs: 5000, jitter: 'full' });
    expect(problems(limit('total', 100), full)).toEqual([]);
  });

  it('is refused when two timeouts stand side by side, whichever is longer', () => {
    expect(problems(limit('a', 200), limit('b', 100))).toEqual([
      "'b' is inside 'a', which gives up after 200 ms: with nothing between them that waits or calls again, only 'b' can ever give up.",
    ]);
    expect(problems(limit('a', 100), limit('b', 200))).toEqual([
      "'b' is inside 'a', which gives up after 100 ms: its own 200 ms can never pass.",
    ]);
  });

  it('is refused when a timeout of an attempt is no shorter than that of them all', () => {
    expect(problems(limit('total', 100), again(10), limit('attempt', 100))).toHaveLength(1);
    expect(problems(limit('total', 100), again(10), limit('attempt', 99))).toEqual([]);
    const timed = retry({ initialDelayMs: 10, attemptTimeoutMs: 100 });
    expect(problems(limit('total', 100), timed)).toHaveLength(1);
    expect(problems(timed, limit('attempt', 100))).toHaveLength(1);
    expect(problems(timed, limit('attempt', 50))).toHaveLength(1); // side by side
  });

  it('knows that a breaker does not wait, and that a limiter may', () => {
    const breaker = circuitBreaker();
    expect(problems(limit('total', 200), breaker, limit('attempt', 100))).toHaveLength(1);
    const queue = concurrency({ limit: 1 });
    expect(problems(limit('total', 200), queue, limit('attempt', 100))).toEqual([]);
    const kinds = pipeline({}, breaker, queue)
      .stats()
      .policies.map(({ kind }) => kind);
    expect(kinds).toEqual(['breaker', 'ratelimit']);
  });

  it('passes two timeouts with something between them that can go on after the inner', () => {
    const back = fallback({ handler: () => 1 });
    expect(problems(limit('total', 200), back, limit('inner', 100))).toEqual([]);
    expect(problems(limit('total', 200), hedge(), limit('inner', 100))).toEqual([]);
  });

  it('is refused when a policy is in it twice, however deep', () => {
    const breaker = circuitBreaker({ name: 'once' });
    expect(problems(breaker, pipeline({}, breaker))).toEqual([
      "'once' is in it twice, and would count each call twice.",
    ]);
  });

  it('is looked at through nested pipelines', () => {
    expect(problems(limit('total', 50), pipeline({}, pipeline({}, again(100))))).toHaveLength(1);
  });

  it('names the pipeline and every mistake', () => {
    expect(() =>
      pipeline({ name: 'orders' }, limit('total', 50), again(100), limit('attempt', 60)),
    ).toThrow(
      "Pipeline 'orders' can not work as ordered: 'again' is inside 'total', which gives up after 50 ms: it waits 100 ms first, and can never call again. 'attempt' is inside 'total', which gives up after 50 ms: its own 60 ms can never pass.",
    );
  });

  it('gives the benefit of the doubt to what does not describe itself', () => {
    const silent = { execute: async () => 1 as never };
    expect(problems(limit('a', 200), silent, limit('b', 100))).toEqual([]);
    expect(problems(silent, silent)).toHaveLength(1); // but not to the same object twice
  });

  it('refuses nothing that could have worked: a described policy alone, or in growing order', () => {
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
