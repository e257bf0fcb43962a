import type { CircuitBreaker, CircuitBreakerOptions } from '@temper/breaker';
import type { CallContext, Policy } from '@temper/core';
import type { BurstOptions } from '@temper/ratelimit';
import type { RetryOptions, RetryPolicy } from '@temper/retry';
import type { ErrorRow } from './error-table.ts';

/** The call that an operation is part of: signal, attempt, deadline, key and so on. */
export type PortContext = CallContext;

/** Options of a breaker in {@link harden}, which itself supplies the others. */
export type BreakerOptions = Omit<
  CircuitBreakerOptions,
  'name' | 'clock' | 'spans' | 'telemetry' | 'shouldHandle'
>;

/** Options of a retry in {@link harden}, which itself supplies the others. */
export type RetryRule = Omit<
  RetryOptions,
  'name' | 'clock' | 'random' | 'spans' | 'telemetry' | 'shouldHandle' | 'attemptTimeoutMs'
>;

/** A rate limit in {@link harden}: a token bucket. */
export interface LimiterOptions extends Pick<BurstOptions, 'limit' | 'windowMs' | 'burst'> {
  /**
   * Calls that may wait for units. By default a call over the limit is refused at once.
   *
   * @defaultValue 0
   * @throws {RangeError} at construction, unless an integer >= 0
   */
  readonly maxQueue?: number;
  /**
   * The largest part of the limit, and of the burst, that calls with the same `key` may use; 1 is all of
   * it. Calls without a key are bounded by the limit alone.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless > 0 and <= 1
   */
  readonly share?: number;
}

/** How many calls run at the same time. The others wait for their turn, in fair order by `key`. */
export interface BulkheadOptions {
  /**
   * Calls at the same time. For what works on one call at a time, 1.
   *
   * @defaultValue 10
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly limit?: number;
  /**
   * The largest part of the limit that calls with the same `key` may use, but at least one call; 1 is all
   * of it. Calls without a key are bounded by the limit alone.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless > 0 and <= 1
   */
  readonly share?: number;
  /**
   * Calls that may wait: of each key, and together. One more is refused.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless an integer >= 0
   */
  readonly maxQueue?: number;
}

/** Retries and times, of an operation or of one of its {@link OperationDefinition.plans}. */
export interface PlanOptions {
  /** Retries errors that the table calls transient. @defaultValue no retries */
  readonly retry?: RetryRule | RetryPolicy | undefined;
  /**
   * Time for a whole call, in milliseconds.
   *
   * @defaultValue 5000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly timeoutMs?: number | undefined;
  /**
   * Time for one attempt, in milliseconds, which starts when the call has its turn.
   *
   * @defaultValue that of the whole call
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly attemptTimeoutMs?: number | undefined;
}

/** Real answers that are kept, to be given while there is no new one. */
export interface RememberOptions<Args extends readonly unknown[]> {
  /** Identifies a question by its arguments. Without an answer, or when it throws, nothing is kept. */
  readonly id: (...args: Args) => string;
  /**
   * Most answers kept; that used longest ago goes first.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless an integer >= 0
   */
  readonly maxEntries?: number;
  /**
   * Oldest answer that is given, in milliseconds.
   *
   * @defaultValue 86_400_000
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly maxAgeMs?: number;
  /** Whether an answer for one `key` may be given to another. @defaultValue false */
  readonly isPublic?: boolean;
}

/** A call that failed, for which a degraded answer is wanted. */
export interface FailedCall {
  readonly error: unknown;
  /** The `key` of the call. */
  readonly key: string | undefined;
}

/** An answer in place of the real one. */
export interface DegradedAnswer<R> {
  readonly value: R;
  /** Where it is from, for those who get it: `partial`, say. */
  readonly by: string;
  /** How old it is, in milliseconds, where it has an age. */
  readonly ageMs?: number;
}

/**
 * One operation of {@link harden}: what it does, and its guards. Each guard is options, a policy of your
 * own (then you dispose of it), or absent; `limiter`, `breaker` and `bulkhead` may be the name of one that
 * operations share.
 *
 * @typeParam Args - the arguments of a call
 * @typeParam R - what it resolves to
 */
export interface OperationDefinition<Args extends readonly unknown[], R> extends PlanOptions {
  /** The operation itself. Its first parameter is the context of the call, with its `signal`. */
  readonly run: (context: PortContext, ...args: Args) => R | PromiseLike<R>;
  /** Limits calls in time. A policy may be any limiter: keyed, shared over a store, adaptive. */
  readonly limiter?: string | LimiterOptions | Policy | undefined;
  /** Limits calls at the same time. A policy may be `adaptiveConcurrency()` or `sharedConcurrency()`. */
  readonly bulkhead?: string | BulkheadOptions | Policy | undefined;
  /**
   * Opens when errors that are not the caller's are too many. A breaker of your own judges errors by its
   * own `shouldHandle`.
   */
  readonly breaker?: string | BreakerOptions | CircuitBreaker | undefined;
  /**
   * What errors count as.
   *
   * @defaultValue as core classifies them
   */
  readonly errors?: readonly ErrorRow[] | undefined;
  /** Keeps real answers. They are given, with their age, where the operation fails. */
  readonly remember?: RememberOptions<Args> | undefined;
  /**
   * An answer for when there is no real one and none that is remembered; `undefined` when there is none
   * either. It gets as long as an attempt. When it throws or is late, the call keeps its own error.
   */
  readonly degrade?:
    | ((
        failure: FailedCall,
        ...args: Args
      ) => DegradedAnswer<R> | undefined | PromiseLike<DegradedAnswer<R> | undefined>)
    | undefined;
  /** Whether a returned value means failure. When it throws or returns a promise, the value is an answer. */
  readonly isFailure?: ((value: R) => boolean) | undefined;
  /** The error that such a value stands for. @defaultValue its `error`, or else the value itself */
  readonly errorOf?: ((value: R) => unknown) | undefined;
  /** What a call is about, for the audit log. @defaultValue the name of the operation */
  readonly resource?: ((...args: Args) => string) | undefined;
  /** Plans by name, for calls that need other times or retries. What one leaves out is the operation's. */
  readonly plans?: Readonly<Record<string, PlanOptions>> | undefined;
  /** The name of the plan of a call. Without one, or when it throws, the operation's own is used. */
  readonly planOf?: ((...args: Args) => string | undefined) | undefined;
}

/**
 * An operation of any type. Only `any` admits every parameter list.
 */
// biome-ignore lint/suspicious/noExplicitAny: see above
export type AnyOperation = OperationDefinition<any, any>;

/** The arguments of an operation, without its context. */
export type ArgumentsOf<O> = O extends {
  // biome-ignore lint/suspicious/noExplicitAny: see AnyOperation
  readonly run: (context: any, ...args: infer Args) => unknown;
}
  ? Args
  : never;

/** What an operation resolves to. */
// biome-ignore lint/suspicious/noExplicitAny: see AnyOperation
export type ResultOf<O> = O extends { readonly run: (...args: any[]) => infer R }
  ? Awaited<R>
  : never;

// biome-ignore lint/suspicious/noExplicitAny: see AnyOperation
type Run = (context: PortContext, ...args: any[]) => unknown;

/** A definition as {@link operation} takes it: the types of all its functions are those of `run`. */
export type OperationOf<F extends Run> = { readonly run: F } & Omit<
  OperationDefinition<ArgumentsOf<{ readonly run: F }>, ResultOf<{ readonly run: F }>>,
  'run'
>;

/** As `NoInfer`, which TypeScript has from 5.4 on. */
type NotInferred<T> = [T][T extends unknown ? 0 : never];

/**
 * Returns a definition unchanged, and holds the types of `degrade`, `remember`, `isFailure` and the like
 * to those of `run`.
 */
export function operation<F extends Run>(
  definition: OperationOf<F>,
): NotInferred<
  OperationDefinition<ArgumentsOf<{ readonly run: F }>, ResultOf<{ readonly run: F }>>
> {
  return definition as never;
}
