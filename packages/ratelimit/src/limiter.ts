import type { Policy, Priority } from '@temper/core';

/** The right to go ahead. Give it back when done, by `using` or {@link release}. */
export interface Lease extends Disposable {
  /** Units that were taken. */
  readonly cost: number;
  /**
   * Aborts when the permits of a shared limit were lost, and others have them now. Absent where nothing
   * can be lost: limits of one process, and units of a rate limiter.
   */
  readonly signal?: AbortSignal;
  /**
   * Gives permits back; a second time does nothing. The units of a rate limiter are spent either way.
   */
  release(): void;
  /**
   * Says what the call turned out to cost, in place of {@link cost}: what was taken too much is given
   * back, as far as it still counts, and what was taken too little is taken, at most all that is left.
   * A second call does nothing. Only leases of rate limiters have it; that of a shared one returns a
   * promise, which rejects when the store is unavailable.
   *
   * @param cost - in units; finite and >= 0
   * @throws {TypeError | RangeError} when it is anything else
   */
  settle?(cost: number): void | Promise<void>;
}

/** How a call by hand asks a limiter. Unknown keys, `null` and wrong types are refused. */
export interface AcquireOptions {
  /**
   * Units to take; fractions are allowed.
   *
   * @defaultValue 1
   * @throws {RangeError} unless finite and > 0
   */
  readonly cost?: number | undefined;
  /** Whose limit, for keyed and shared limiters. A limiter without keys ignores it. */
  readonly key?: string | undefined;
  /** How much the call matters, for limiters that shed load. Others ignore it. */
  readonly priority?: Priority | undefined;
  /** Ends the wait of `acquire` at once, rejecting with `signal.reason` unchanged. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Longest wait of `acquire`, in milliseconds. A call whose turn cannot come by then is refused at
   * once. The limiter's own `maxWaitMs` still holds.
   *
   * @defaultValue Infinity
   * @throws {RangeError} unless >= 0
   */
  readonly maxWaitMs?: number | undefined;
}

/** The state of a limit. */
export interface LimitState {
  /** Units per window, or permits. */
  readonly limit: number;
  /** Length of the window in milliseconds; `undefined` for permits. */
  readonly windowMs: number | undefined;
  /** Whole units that could be taken now, never negative; 0 while calls wait. */
  readonly remaining: number;
  /** Milliseconds until there will be more; 0 when there is no more, `undefined` when unknown. */
  readonly resetMs: number | undefined;
}

/** The answer to one request, with the state of the limit after it. */
export interface Decision<L extends Lease = Lease> extends LimitState {
  readonly allowed: boolean;
  /** 0 when allowed; otherwise as {@link RateLimitExceededError.retryAfterMs}. */
  readonly retryAfterMs: number | undefined;
  /** To be released when the call is over; `undefined` when refused. */
  readonly lease: L | undefined;
}

/**
 * What every limiter of one process can do. Each method throws a `TypeError` or `RangeError` on options
 * that {@link AcquireOptions} does not allow. `execute` takes cost and key from the call's options.
 */
export interface Limiter<L extends Lease = Lease> extends Policy {
  /**
   * Takes units if they can be had now; calls that wait come first.
   *
   * @returns the lease; `undefined` when refused
   * @throws {RateLimitExceededError} when the cost is more than can ever be had at once
   */
  tryAcquire(options?: AcquireOptions): L | undefined;
  /**
   * Takes units, waiting for them if need be, in order of arrival.
   *
   * @throws {RateLimitExceededError} (as a rejection, at once) when the queue is full, the turn would
   * come after `maxWaitMs`, or the cost is more than can ever be had at once
   * @throws `signal.reason` (as a rejection) when the signal aborts
   */
  acquire(options?: AcquireOptions): Promise<L>;
  /** As {@link tryAcquire}, but returns everything about the answer. */
  take(options?: AcquireOptions): Decision<L>;
  /** The state of the limit. Takes nothing, and does not count as a use. */
  peek(options?: Pick<AcquireOptions, 'key'>): LimitState;
}

/** What a limiter has answered since it was created. */
export interface RequestCounts {
  /** Passed at once. */
  readonly allowed: number;
  /** Passed after a wait. */
  readonly delayed: number;
  readonly rejected: number;
  /** Ended by their caller while they waited. */
  readonly aborted: number;
}
