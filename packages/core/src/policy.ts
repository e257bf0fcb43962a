import type { CallContext } from './context.ts';
import type { Attributes } from './telemetry/definitions.ts';

/** What an operation is told about the call it is part of. */
export interface ExecutionContext {
  /**
   * Aborts when the caller gives up, the deadline passes, or a timeout around this attempt fires.
   * The controller behind it is made when somebody first reads it, so an operation that never looks
   * pays nothing.
   */
  readonly signal: AbortSignal;
  /** Which try this is, counted from 1 by the innermost retry around the operation. */
  readonly attempt: number;
  /** When the whole call must be over, on the clock's monotonic scale in milliseconds. */
  readonly deadline: number | undefined;
}

/** The work that a policy guards. */
export type Operation<T> = (context: ExecutionContext) => T | PromiseLike<T>;

/** What a caller may say about one call. */
export interface ExecuteOptions {
  /**
   * Ends every wait of the policies at once, rejecting with `signal.reason` untouched, and is passed
   * on to the operation. An operation that ignores it is waited for.
   */
  readonly signal?: AbortSignal;
  /**
   * Longest time for the whole call, in milliseconds: waits, tries and delays together.
   * When it passes, the operation's signal aborts and the call rejects with
   * {@link DeadlineExceededError} without waiting for the operation.
   */
  readonly deadlineMs?: number;
  /** What is being done, for spans: low cardinality, such as `fetch_package`. */
  readonly operation?: string;
  /** Attributes for the spans of this call. Never put on metrics. */
  readonly attributes?: Attributes;
}

/** The outcome of {@link Policy.tryExecute}: a value, or the error that `execute` would have thrown. */
export type Outcome<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: unknown };

/** What composes: anything that can run an operation. */
export interface Executor {
  execute<T>(operation: Operation<T>, options?: ExecuteOptions | ExecutionContext): Promise<T>;
}

/** A policy: an {@link Executor} with a name, a snapshot, and an end. */
export interface Policy extends Executor, Disposable {
  /** Names the policy in errors, spans and metrics. */
  readonly name: string;
  /**
   * Runs `operation` under this policy.
   *
   * Pass the {@link ExecutionContext} of an outer policy as `options` to nest by hand: signal,
   * deadline and attempt then carry over.
   */
  execute<T>(operation: Operation<T>, options?: ExecuteOptions | ExecutionContext): Promise<T>;
  /** As {@link execute}, but resolves to an {@link Outcome} and never rejects. */
  tryExecute<T>(
    operation: Operation<T>,
    options?: ExecuteOptions | ExecutionContext,
  ): Promise<Outcome<T>>;
  /** An async function of the same type (overloads and `this` included) that runs under this policy. */
  // biome-ignore lint/suspicious/noExplicitAny: only `any` admits every parameter list and `this`
  wrap<F extends (...args: any[]) => PromiseLike<unknown>>(fn: F): F;
  /** The same for a synchronous function, which becomes asynchronous. */
  wrap<This, Args extends readonly unknown[], R>(
    fn: (this: This, ...args: Args) => R,
  ): (this: This, ...args: Args) => Promise<Awaited<R>>;
  /** A plain snapshot of the policy's counts and state, safe to serialise. */
  stats(): object;
  /** Takes the policy's gauges out of telemetry. Its counted totals stay. The policy keeps working. */
  [Symbol.dispose](): void;
}

/**
 * What a policy tells whoever composes it, so that orders that can never work are found at
 * construction and not in an outage. Times are in milliseconds.
 */
export interface PolicyDescription {
  /** What it is: `retry`, `timeout`, `breaker`, `pipeline`, …; `policy` when it does not say. */
  readonly kind: string;
  /** Whether it may call the operation more than once per call. */
  readonly repeats?: boolean;
  /** It gives up on what is inside it after this long. */
  readonly timeoutMs?: number | undefined;
  /** It gives up on each of its tries after this long. */
  readonly attemptTimeoutMs?: number | undefined;
  /** The least time that it waits before it calls again. */
  readonly firstDelayMs?: number | undefined;
  /** What it is made of, outermost first. */
  readonly parts?: readonly object[];
}

/**
 * A policy that can join a call under way: the one method that policies of this family call on each
 * other, so that a pipeline composes without a new context, deadline or promise per layer.
 */
export interface InCallExecutor {
  runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T>;
}
