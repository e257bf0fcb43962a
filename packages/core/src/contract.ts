import type { Attributes } from './telemetry/definitions.ts';

/**
 * Who ended a call before its operation did: the caller's signal, the caller's `timeoutMs` or
 * `AbortSignal.timeout()` (`deadline`), a timeout policy or attempt timeout around this part of the call (`timeout`), or a
 * hedge that was answered by another try (`hedge`).
 */
export type EndedBy = 'caller' | 'deadline' | 'timeout' | 'hedge';

/** How much a call matters, from least to most, as in Google's SRE book. */
export type Priority = 'sheddable' | 'sheddable-plus' | 'critical' | 'critical-plus';

/** What an operation is told about the call it is part of. */
export interface CallContext {
  /**
   * Aborts when the caller's signal does, the deadline passes, or a policy ends this attempt. Its
   * controller is created on first read, so an operation that never reads it pays nothing.
   *
   * Where nothing but the caller's own signal can end the operation, this is that signal and no copy: its
   * listeners run in the asynchronous context of whoever aborts it, as those of any signal do. Otherwise
   * they run in that of the code that read this property first.
   */
  readonly signal: AbortSignal;
  /** Number of this attempt, from 1, as counted by the innermost retry. */
  readonly attempt: number;
  /**
   * Number of this attempt, from 1, as counted by the innermost hedge; 1 without one. An operation can go
   * elsewhere by it: `({ hedge, signal }) => fetch(replicas[hedge - 1], { signal })`.
   */
  readonly hedge: number;
  /** When the whole call must be over, on the clock's monotonic scale in milliseconds. */
  readonly deadline: number | undefined;
  /** {@link CallOptions.operation} of this call. */
  readonly operation: string | undefined;
  /** {@link CallOptions.attributes} of this call. */
  readonly attributes: Attributes | undefined;
  /** {@link CallOptions.cost} of this call; 1 when the caller gave none. */
  readonly cost: number;
  /** {@link CallOptions.priority} of this call. */
  readonly priority: Priority | undefined;
  /** {@link CallOptions.key} of this call. */
  readonly key: string | undefined;
  /** Who ended this call early; `undefined` while nobody has. */
  readonly endedBy: EndedBy | undefined;
}

/** The work that a policy guards. */
export type Operation<T> = (call: CallContext) => T | PromiseLike<T>;

/**
 * Options of one call. Every entry point rejects with a `TypeError` on unknown keys, `null` and wrong
 * types, and with a `RangeError` on numbers out of range. `undefined` is the same as absent.
 */
export interface CallOptions {
  /**
   * Ends every wait of the policies at once, rejecting with `signal.reason` unchanged, and is passed
   * on to the operation. A running operation that ignores its signal is waited for.
   */
  readonly signal?: AbortSignal | undefined;
  /**
   * Longest time for the whole call, in milliseconds: waits, attempts and delays together. When it
   * has passed, the operation's signal aborts and the call rejects with `DeadlineExceededError`
   * without waiting for the operation.
   *
   * @defaultValue none
   * @throws {RangeError} (as a rejection) unless >= 0
   */
  readonly timeoutMs?: number | undefined;
  /** What is being done, for spans and messages. Low cardinality, such as `fetch_package`. */
  readonly operation?: string | undefined;
  /** Attributes for the spans of this call. Never put on metrics. */
  readonly attributes?: Attributes | undefined;
  /**
   * Units that the call takes from each rate or concurrency limiter on its way.
   *
   * @defaultValue 1
   * @throws {RangeError} (as a rejection) unless finite and > 0
   */
  readonly cost?: number | undefined;
  /**
   * How much the call matters to policies that shed load.
   *
   * @defaultValue none; each policy documents how it treats such a call
   */
  readonly priority?: Priority | undefined;
  /** Identifies the tenant, user or resource for keyed limiters and caches. Never put on telemetry. */
  readonly key?: string | undefined;
  /**
   * The context of a call under way. The new call becomes part of it: signal, deadline, attempt,
   * cost, priority, key, operation and attributes carry over unless given here, and both signals and
   * the nearer deadline hold for as long as the new call runs, even when its parent has resolved by then.
   */
  readonly parent?: CallContext | undefined;
}

/** The result of a call: a value, or the error that `execute` rejects with. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown };

/** Options of a wrapped function: the same for every call, or computed from its arguments. */
export type WrapOptions<Args extends readonly unknown[] = readonly unknown[]> =
  | CallOptions
  | ((...args: Args) => CallOptions | undefined);

/** Anything that can run an operation; what a pipeline is made of. */
export interface Executor {
  execute<T>(operation: Operation<T>, options?: CallOptions): Promise<T>;
}

/** A policy: an {@link Executor} with a name, a snapshot and an end. */
export interface Policy extends Executor, Disposable {
  /** Names the policy in errors, spans and metrics. */
  readonly name: string;
  /**
   * Runs `operation` under this policy.
   *
   * An operation written `async function*` resolves at once to a generator that is guarded as one call
   * from its first `next()` to its end: its signal and deadline hold, and a bulkhead's place is kept,
   * until then. It is retried only before its first item, and its `return()` is called when the call
   * ends early. Any other value, iterable or not, is returned unchanged, and the call is over then.
   *
   * @throws {TypeError | RangeError} (as a rejection) when an option is unknown or out of range
   * @throws {DeadlineExceededError} (as a rejection) when `timeoutMs` has passed
   * @throws `signal.reason` (as a rejection) when the caller's signal has aborted
   */
  execute<T>(operation: Operation<T>, options?: CallOptions): Promise<T>;
  /** As {@link execute}, but resolves to an {@link Outcome} and never rejects. */
  tryExecute<T>(operation: Operation<T>, options?: CallOptions): Promise<Outcome<T>>;
  /**
   * For an async generator function: the returned one guards the whole iteration as one call, from the
   * first `next()` to its end.
   */
  // biome-ignore lint/suspicious/noExplicitAny: only `any` admits every parameter list and `this`
  wrap<F extends (...args: any[]) => AsyncGenerator<unknown, unknown, any>>(
    fn: F,
    options?: WrapOptions<Parameters<F>>,
  ): F;
  /**
   * Returns an async function of the same type (overloads and `this` included) that runs `fn` under
   * this policy, with call options that are fixed or computed from the arguments.
   */
  // biome-ignore lint/suspicious/noExplicitAny: only `any` admits every parameter list and `this`
  wrap<F extends (...args: any[]) => PromiseLike<unknown>>(
    fn: F,
    options?: WrapOptions<Parameters<F>>,
  ): F;
  /** The same for a synchronous function, which becomes asynchronous. */
  wrap<This, Args extends readonly unknown[], R>(
    fn: (this: This, ...args: Args) => R,
    options?: WrapOptions<Args>,
  ): (this: This, ...args: Args) => Promise<Awaited<R>>;
  /** A plain snapshot of the policy's counts and state, safe to serialise. */
  stats(): object;
  /**
   * Ends the policy's telemetry: gauges at once, counters and histograms after one more export, unless
   * other policies of its name live. The policy keeps working, and what it counts is exported.
   */
  [Symbol.dispose](): void;
}

/**
 * What a policy tells its composer, so that orders that can never work are refused at construction.
 * Times are in milliseconds.
 */
export interface PolicyDescription {
  /** `retry`, `timeout`, `breaker`, `pipeline`, …; `policy` when it does not say. */
  readonly kind: string;
  /** Whether it may call the operation more than once per call. */
  readonly repeats?: boolean;
  /** It gives up on what is inside it after this long. */
  readonly timeoutMs?: number | undefined;
  /** It gives up on what is inside it after this long at the latest, where the time is not fixed. */
  readonly maxTimeoutMs?: number | undefined;
  /** It gives up on each of its attempts after this long. */
  readonly attemptTimeoutMs?: number | undefined;
  /** It ends what is inside it this long before the deadline, so that it can answer itself. */
  readonly reserveMs?: number | undefined;
  /** As {@link reserveMs}, where it can answer some calls only. */
  readonly maxReserveMs?: number | undefined;
  /** Whether what is inside it runs for several calls, and no deadline of one of them ends it. */
  readonly sharesRuns?: boolean | undefined;
  /** The least time that it waits before it calls again. */
  readonly firstDelayMs?: number | undefined;
  /** What it is made of, outermost first. */
  readonly parts?: readonly object[];
}
