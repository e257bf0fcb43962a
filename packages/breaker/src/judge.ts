import { type CallContext, classify, isThenable, type Outcome } from '@temper/core';

/** What a result says about the dependency. */
export type Verdict = 'success' | 'failure' | 'ignored';

/** The part of the options that judges. */
export interface JudgeOptions {
  isFailure?(value: unknown): boolean;
  readonly ignore?: (outcome: Outcome<unknown>) => boolean;
}

/** What a thrown error says. A caller who gave up says nothing about the dependency. */
export function judgeError(
  error: unknown,
  context: CallContext,
  { ignore }: JudgeOptions,
  report: (error: unknown) => void,
): Verdict {
  if (context.aborted && callerGaveUp(error, context)) return 'ignored';
  if (ignore !== undefined && ask(ignore, { ok: false, error }, report)) return 'ignored';
  return 'failure';
}

/** What a returned value says. */
export function judgeValue(
  value: unknown,
  { isFailure, ignore }: JudgeOptions,
  report: (error: unknown) => void,
): Verdict {
  if (ignore !== undefined && ask(ignore, { ok: true, value }, report)) return 'ignored';
  return isFailure !== undefined && ask(isFailure, value, report) ? 'failure' : 'success';
}

/**
 * Whether the operation ended because it was aborted by somebody who changed his mind. When the
 * reason is that time was up, the dependency did not answer in time: that is a failure of it.
 */
function callerGaveUp(error: unknown, context: CallContext): boolean {
  const { reason } = context;
  const aborted =
    error === reason || (error as { name?: unknown } | null | undefined)?.name === 'AbortError';
  return aborted && classify(reason).category !== 'timeout';
}

/** Asks a user's predicate. One that throws, or does not answer at once, is reported, and has said no. */
function ask<T>(
  predicate: (value: T) => boolean,
  value: T,
  report: (error: unknown) => void,
): boolean {
  try {
    const answer: unknown = predicate(value);
    if (!isThenable(answer)) return Boolean(answer);
    answer.then(undefined, report);
    throw new TypeError('circuitBreaker: a predicate must answer at once, but returned a promise.');
  } catch (error) {
    report(error);
    return false;
  }
}
