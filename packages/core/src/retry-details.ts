import type { Call } from './call/context.ts';

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
const KEY = Symbol.for('temper.retries.1');

let found: Registry | undefined;

function registry(): Registry {
  if (found === undefined) {
    const globals = globalThis as unknown as Record<symbol, Registry | undefined>;
    globals[KEY] ??= { entries: new WeakMap(), attempts: 0 };
    found = globals[KEY];
  }
  return found;
}

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

/**
 * Whether an attempt failed with what the retries of a call inside it ended with, so that another
 * attempt would multiply theirs. An object that unrelated calls throw or return is told apart by time:
 * the call inside began after the attempt did. A primitive is recognised where the call inside was
 * joined by `parent`.
 *
 * @param attempt - the context of the attempt
 * @param began - the attempt's number
 */
export function endedRetries(failure: unknown, attempt: Call, began: number): boolean {
  const entry = registry().entries.get(isObject(failure) ? failure : attempt);
  return entry !== undefined && entry.began > began && Object.is(entry.failure, failure);
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

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
