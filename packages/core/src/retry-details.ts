import type { Call } from './call/context.ts';
import { isError } from './causes.ts';
import { isTemperError } from './errors.ts';
import { isObject } from './is-object.ts';
import { processState } from './process-state.ts';

/** What is known of the retries that ended with an error. */
export interface RetryDetails {
  /** Name of the retry policy. */
  readonly policy: string;
  /** Why there was no further attempt. */
  readonly reason: string;
  /** How many attempts were made, the first included. */
  readonly attempts: number;
  /** From the end of the first attempt to the end of the last, in milliseconds: what retrying took. */
  readonly elapsedMs: number;
  /**
   * What each attempt failed with, in order; for a value that counts as a failure, the value. Of more
   * than 1000, the first and the last ones.
   */
  readonly errors: readonly unknown[];
  /** How long the last failure asked its caller to stay away, in milliseconds, if it did. */
  readonly retryAfterMs: number | undefined;
}

interface Entry {
  /** What the retries ended with: an error, or a value that counts as a failure. */
  readonly failure: unknown;
  /** Of the call that was retried: the number of its first attempt. */
  readonly began: number;
  /** `undefined` where the retries ended with a value. */
  readonly details: RetryDetails | undefined;
}

interface Registry {
  /** By what the retries ended with; a primitive has no identity, and goes by {@link Call}. */
  readonly entries: WeakMap<object, Entry>;
  attempts: number;
}

/** One registry per process, so that two installed copies of core agree. */
const registry: () => Registry = /* @__PURE__ */ processState('retries.1', () => ({
  entries: new WeakMap(),
  attempts: 0,
}));

/** The number of an attempt that begins now. It is higher than that of every earlier attempt. */
export function numberAttempt(): number {
  return ++registry().attempts;
}

/**
 * Remembers that the retries of a call ended with this error or value, beside it and not in it.
 *
 * @param began - number of the call's first attempt
 * @param details - what {@link retryDetails} returns for the error
 */
export function rememberRetries(
  failure: unknown,
  call: Call,
  began: number,
  details?: RetryDetails,
): void {
  const { entries } = registry();
  const entry = { failure, began, details };
  if (isObject(failure)) {
    entries.set(failure, entry);
    return;
  }
  for (let each: Call | undefined = call; each !== undefined; each = each.outer) {
    entries.set(each, entry);
  }
}

/** How many errors deep causes are followed, and how many errors are looked at. */
const MAX_DEPTH = 8;
const MAX_ERRORS = 100;

/**
 * Whether an attempt failed with what the retries of a call inside it ended with, or because of it, so that
 * another attempt would multiply theirs. An object that unrelated calls throw or return is told apart by
 * time: the call inside began after the attempt did. A primitive is recognised where the call inside was
 * joined by `parent`. Never throws.
 *
 * @param attempt - the context of the attempt
 * @param began - the attempt's number
 */
export function endedRetries(failure: unknown, attempt: Call, began: number): boolean {
  const { entries } = registry();
  const endedWith = (error: unknown, key: object): boolean => {
    const entry = entries.get(key);
    return entry !== undefined && entry.began > began && Object.is(entry.failure, error);
  };
  if (!isObject(failure)) return endedWith(failure, attempt);
  let left = MAX_ERRORS;
  const isCausedBy = (error: unknown, depth: number): boolean => {
    if (!isObject(error) || depth === 0 || left-- === 0) return false;
    if (endedWith(error, error)) return true;
    // Its cause is what an attempt failed with before, not why the call ended. A value has no cause.
    if (!isError(error) || isTemperError(error, 'DEADLINE_EXCEEDED')) return false;
    const { cause, errors } = error as { cause?: unknown; errors?: unknown };
    if (isCausedBy(cause, depth - 1)) return true;
    return Array.isArray(errors) && errors.some((each) => isCausedBy(each, depth - 1));
  };
  try {
    return isCausedBy(failure, MAX_DEPTH);
  } catch {
    return false; // a hostile getter
  }
}

/**
 * The attempts behind an error that a retry policy rejected with after its last attempt.
 *
 * @param error - what `execute` rejected with
 * @returns `undefined` when no retry ended with this error, or when it is no object
 */
export function retryDetails(error: unknown): RetryDetails | undefined {
  return isObject(error) ? registry().entries.get(error)?.details : undefined;
}
