import type { ExecuteOptions, ExecutionContext, Operation, Outcome, Policy } from '@temper/core';

/** The right to go ahead. Give it back when done, by `using` or {@link release}. */
export interface Lease extends Disposable {
  /** Units that were taken. */
  readonly cost: number;
  /** Gives the permits back; a second time does nothing. A rate limiter's units are spent either way. */
  release(): void;
}

/** How a caller wants to wait for its turn. */
export interface AcquireOptions {
  /**
   * Units to take; fractions are allowed.
   *
   * @defaultValue 1
   * @throws {RangeError} unless finite and > 0
   */
  readonly cost?: number;
  /** Ends the wait at once, rejecting with `signal.reason` untouched. */
  readonly signal?: AbortSignal;
  /**
   * Longest wait, in milliseconds. When the turn cannot come by then, the call is refused at once.
   *
   * @defaultValue Infinity
   * @throws {RangeError} unless >= 0
   */
  readonly deadlineMs?: number;
}

/** {@link ExecuteOptions} with a cost. */
export interface CostedExecuteOptions extends ExecuteOptions {
  /**
   * Units that the call takes. Passed on to no other policy.
   *
   * @defaultValue 1
   * @throws {RangeError} (as a rejection) unless finite and > 0
   */
  readonly cost?: number;
}

/** A limit as it stands, for whoever has to tell a client about it. */
export interface Quota {
  /** Units per window, or permits. */
  readonly limit: number;
  /** Length of the window in milliseconds; undefined for permits. */
  readonly windowMs: number | undefined;
  /** Units that could be taken now, never negative. */
  readonly remaining: number;
  /** Milliseconds until there will be more; 0 when there is no more, undefined when nobody can tell. */
  readonly resetMs: number | undefined;
}

/** The answer to one question, with the limit as it stands after it. */
export interface Verdict extends Quota {
  readonly allowed: boolean;
  /** 0 when allowed; otherwise as {@link RateLimitExceededError.retryAfterMs}. */
  readonly retryAfterMs: number | undefined;
  /** To be released when the call is over; undefined when refused. */
  readonly lease: Lease | undefined;
}

/** What every limiter of one process can do. */
export interface Limiter extends Policy {
  /**
   * Takes a place, waiting for it if need be: first come, first served, with no polling.
   *
   * @throws {RateLimitExceededError} (as a rejection, at once) when the queue is full, the deadline
   * cannot be met, or the cost can never fit
   * @throws {TypeError | RangeError} (as a rejection) when an option is out of range
   * @throws `signal.reason` (as a rejection) when the signal aborts
   */
  acquire(options?: AcquireOptions): Promise<Lease>;
  /** Asks without waiting, and tells everything about the answer. */
  check(cost?: number): Verdict;
  /** The limit as it stands, brought up to date before it is read. */
  quota(): Quota;
  execute<T>(
    operation: Operation<T>,
    options?: CostedExecuteOptions | ExecutionContext,
  ): Promise<T>;
  tryExecute<T>(
    operation: Operation<T>,
    options?: CostedExecuteOptions | ExecutionContext,
  ): Promise<Outcome<T>>;
}

/** What was answered so far. */
export interface RequestCounts {
  /** Passed at once. */
  readonly allowed: number;
  /** Passed after a wait. */
  readonly delayed: number;
  readonly rejected: number;
  /** Gave up while waiting. */
  readonly aborted: number;
}
