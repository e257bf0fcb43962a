import { classify, isFailure, isOverload, isTransient } from '@temper/core';
import { retryAfterOf } from '@temper/core/policy';
import { expect, it } from 'vitest';
import { type ErrorCase, identify, type Verdict } from './case.ts';

/** How the default predicates of Temper's policies judge an error. */
function judge(error: unknown): {
  readonly verdict: string;
  readonly retryAfterMs: number | undefined;
} {
  const outcome = { ok: false, error } as const;
  const { category, severity } = classify(error);
  const words: string[] = [];
  if (isTransient(outcome)) words.push('retry');
  if (isOverload(outcome)) words.push('overload');
  if (isFailure(outcome)) words.push('failure');
  let verdict = words.join(' ');
  if (verdict === '') verdict = 'mistake' satisfies Verdict;
  // An abort by the caller is no failure either, but that policies know from the call.
  if (category === 'unknown' && severity === 'low') verdict = 'abort' satisfies Verdict;
  return { verdict, retryAfterMs: retryAfterOf(error, Date.parse('2026-11-29T12:00:00Z')) };
}

/** A test of each case. */
export function itJudges(cases: readonly ErrorCase[]): void {
  it.each(cases)('$client: $happened', async ({ provoke, error, verdict, retryAfterMs }) => {
    const controller = new AbortController();
    const thrown = await provoke(controller.signal, () => controller.abort());
    expect({ error: identify(thrown), ...judge(thrown) }).toEqual({ error, verdict, retryAfterMs });
  });
}
