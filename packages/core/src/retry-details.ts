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
  readonly details: RetryDetails;
  readonly order: number;
}

interface Registry {
  readonly entries: WeakMap<object, Entry>;
  count: number;
}

/** One registry per process, so that two installed copies of core agree. */
const KEY = Symbol.for('temper.retries.1');

let found: Registry | undefined;

function registry(): Registry {
  if (found === undefined) {
    const globals = globalThis as unknown as Record<symbol, Registry | undefined>;
    globals[KEY] ??= { entries: new WeakMap(), count: 0 };
    found = globals[KEY];
  }
  return found;
}

/** Remembers the retries that ended with this error, beside the error and not in it. */
export function rememberRetries(error: unknown, details: RetryDetails): void {
  if (typeof error !== 'object' || error === null) return;
  const shared = registry();
  shared.entries.set(error, { details, order: ++shared.count });
}

/** How many retries have ended with an error so far, for {@link exhaustedSince}. */
export function exhaustedSoFar(): number {
  return registry().count;
}

/**
 * Whether a retry ended with this error after the count was taken. An error object that is thrown
 * again by an unrelated call does not count.
 */
export function exhaustedSince(error: unknown, count: number): boolean {
  if (typeof error !== 'object' || error === null) return false;
  return (registry().entries.get(error)?.order ?? 0) > count;
}

/**
 * The attempts behind an error that a retry policy rejected with after its last attempt.
 *
 * @param error - what `execute` rejected with
 * @returns `undefined` when no retry ended with this error, or when it is no object
 */
export function retryDetails(error: unknown): RetryDetails | undefined {
  return typeof error === 'object' && error !== null
    ? registry().entries.get(error)?.details
    : undefined;
}
