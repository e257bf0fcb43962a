import { listenForAbort, stopListening } from '../abort-listener.ts';
import { notify } from '../callbacks.ts';
import type { Clock, Scheduled } from '../clock.ts';
import type {
  CallContext,
  CallOptions,
  Operation,
  Outcome,
  Policy,
  PolicyDescription,
  WrapOptions,
} from '../contract.ts';
import { discardBody } from '../discard.ts';
import { DeadlineExceededError } from '../errors.ts';
import { show } from '../options.ts';
import { tracesCalls, withCallSite } from './call-sites.ts';
import { beginPart, endPart } from './capacity.ts';
import { Call, type CallScope } from './context.ts';
import { endedByReason } from './endings.ts';
import {
  guardIteration,
  isGeneratorFunction,
  isIterationOperation,
  noteIteration,
} from './iteration.ts';
import { checkCallOptions, labelsOf, onlySignal } from './options.ts';

/**
 * A policy that can join a call under way: the method by which policies of this family call each
 * other, so that a pipeline composes without a new context, deadline or promise per layer.
 */
export interface InCallExecutor {
  runInCall<T>(operation: Operation<T>, call: Call): Promise<T>;
}

/** Base of every Temper policy: a subclass supplies {@link InCallExecutor.runInCall} and `stats`. */
export abstract class PolicyBase implements Policy, InCallExecutor {
  readonly name: string;
  protected readonly clock: Clock;

  constructor(name: string, clock: Clock) {
    this.name = name;
    this.clock = clock;
  }

  abstract runInCall<T>(operation: Operation<T>, call: Call): Promise<T>;
  abstract stats(): object;
  abstract [Symbol.dispose](): void;

  /** What composers should know of this policy. */
  describe(): PolicyDescription {
    return { kind: 'policy' };
  }

  execute<T>(operation: Operation<T>, options?: CallOptions): Promise<T> {
    if (
      options !== undefined ||
      typeof operation !== 'function' ||
      isGeneratorFunction(operation) ||
      isIterationOperation(operation) ||
      tracesCalls()
    ) {
      return enterCall(this, operation, options, this.name, this.clock);
    }
    try {
      return this.runInCall(operation, new Call());
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Follows the promise of the call, where an `async` function would have an error thrown once more. */
  tryExecute<T>(operation: Operation<T>, options?: CallOptions): Promise<Outcome<T>> {
    return this.execute(operation, options).then(succeeded<T>, failed);
  }

  // biome-ignore lint/suspicious/noExplicitAny: see Policy.wrap
  wrap<F extends (...args: any[]) => AsyncGenerator<unknown, unknown, any>>(
    fn: F,
    options?: WrapOptions<Parameters<F>>,
  ): F;
  // biome-ignore lint/suspicious/noExplicitAny: see Policy.wrap
  wrap<F extends (...args: any[]) => PromiseLike<unknown>>(
    fn: F,
    options?: WrapOptions<Parameters<F>>,
  ): F;
  wrap<This, Args extends readonly unknown[], R>(
    fn: (this: This, ...args: Args) => R,
    options?: WrapOptions<Args>,
  ): (this: This, ...args: Args) => Promise<Awaited<R>>;
  wrap(fn: (...args: unknown[]) => unknown, options?: WrapOptions<never>): unknown {
    return wrapWith(this, fn, options as WrapOptions | undefined);
  }
}

const succeeded = <T>(value: T): Outcome<T> => ({ ok: true, value });
const failed = (error: unknown): Outcome<never> => ({ ok: false, error });

/** What {@link wrapWith} needs of a policy. */
interface WrapExecutor {
  /** @param args - what the wrapped function was called with */
  execute<T>(
    operation: Operation<T>,
    options: CallOptions | undefined,
    args: readonly unknown[],
  ): Promise<T>;
}

/**
 * Wraps `fn` so that each call of it runs under `executor`, with `this`, name and arity kept.
 *
 * @param options - call options, or a function of the arguments (and `this`) that returns them
 * @throws {TypeError} when `fn` is not a function, or fixed options are not {@link CallOptions}
 */
export function wrapWith(
  executor: WrapExecutor,
  fn: (...args: unknown[]) => unknown,
  options?: WrapOptions,
): (...args: unknown[]) => unknown {
  const owner = (executor as { name?: unknown }).name ?? 'wrap';
  if (typeof fn !== 'function') {
    throw new TypeError(`${owner}: wrap needs a function, got ${show(fn)}.`);
  }
  if (options !== undefined && typeof options !== 'function') {
    checkCallOptions(String(owner), options);
  }
  const ownOptions = (self: unknown, args: readonly unknown[]): CallOptions | undefined => {
    if (typeof options !== 'function') return options;
    const own = options.apply(self as never, args as never);
    // A promise is refused by `execute`; its rejection must not end the process.
    notify(String(owner), 'wrap options', () => own);
    return own;
  };
  const wrapped = isGeneratorFunction(fn)
    ? function (this: unknown, ...args: unknown[]): unknown {
        // The call begins with the first `next()`, which also rejects with what the options throw.
        const execute = async (operation: Operation<unknown>): Promise<unknown> =>
          executor.execute(operation, ownOptions(this, args), args);
        return guardIteration(execute, () => fn.apply(this, args as never));
      }
    : typeof options === 'function'
      ? async function (this: unknown, ...args: unknown[]): Promise<unknown> {
          return executor.execute(() => fn.apply(this, args), ownOptions(this, args), args);
        }
      : function (this: unknown, ...args: unknown[]): Promise<unknown> {
          return executor.execute(() => fn.apply(this, args), options, args);
        };
  Object.defineProperty(wrapped, 'name', { value: fn.name, configurable: true });
  Object.defineProperty(wrapped, 'length', { value: fn.length, configurable: true });
  return wrapped;
}

/**
 * Opens a call, or joins the one of `options.parent`: checks the caller's options, creates the
 * context, enforces the timeout, and hands over to the policy.
 *
 * @param owner - the policy's name, for messages
 * @throws {TypeError | RangeError} (as a rejection) on options that {@link CallOptions} does not allow
 * @throws {DeadlineExceededError} (as a rejection) when `timeoutMs` has passed; at once, without
 * calling the operation, when it is 0
 * @throws `signal.reason` (as a rejection) when the signal or the parent call has aborted already
 */
export function enterCall<T>(
  policy: InCallExecutor,
  operation: Operation<T>,
  options: CallOptions | undefined,
  owner: string,
  clock: Clock,
): Promise<T> {
  if (isGeneratorFunction(operation)) {
    return openIteration(policy, operation, options, owner, clock) as Promise<T>;
  }
  return tracesCalls()
    ? withCallSite(() => openCall(policy, operation, options, owner, clock))
    : openCall(policy, operation, options, owner, clock);
}

/** @returns the guarded generator at once; the call begins with its first `next()` */
async function openIteration(
  policy: InCallExecutor,
  create: (call: CallContext) => AsyncGenerator<unknown, unknown, unknown>,
  options: CallOptions | undefined,
  owner: string,
  clock: Clock,
): Promise<unknown> {
  if (options !== undefined) checkCallOptions(owner, options);
  const execute = (operation: Operation<unknown>): Promise<unknown> =>
    enterCall(policy, operation, options, owner, clock);
  return guardIteration(execute, create);
}

/** Notes that the calls of a policy are iterations. */
function iterating(policy: InCallExecutor): InCallExecutor {
  return {
    runInCall(operation, call) {
      noteIteration(call, true);
      return policy.runInCall(operation, call);
    },
  };
}

function openCall<T>(
  policy: InCallExecutor,
  operation: Operation<T>,
  options: CallOptions | undefined,
  owner: string,
  clock: Clock,
): Promise<T> {
  try {
    if (typeof operation !== 'function') {
      throw new TypeError(`${owner}: the operation must be a function, got ${show(operation)}.`);
    }
    if (isIterationOperation(operation))
      return openCall(iterating(policy), (call) => operation(call), options, owner, clock);
    if (options === undefined) return policy.runInCall(operation, new Call());
    const only = onlySignal(options);
    if (only !== undefined) {
      if (only.aborted) throw only.reason;
      return policy.runInCall(operation, new Call(1, undefined, undefined, only));
    }
    checkCallOptions(owner, options);
    const { signal, timeoutMs = Number.POSITIVE_INFINITY } = options;
    if (signal?.aborted === true) throw signal.reason;
    if (options.parent !== undefined) {
      return joinCall(policy, operation, options, options.parent as Call, clock);
    }
    const labels = labelsOf(options);
    if (timeoutMs === 0) throw new DeadlineExceededError(labels?.operation, timeoutMs);
    const call = new Call(1, undefined, labels, signal);
    if (timeoutMs === Number.POSITIVE_INFINITY) return policy.runInCall(operation, call);
    const scope = call.scope(clock.monotonic() + timeoutMs, labels, clock);
    return runInScope(policy, operation, scope, { timeoutMs }, clock);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Runs `operation` as part of `parent`, whose signal and deadline hold until it is over. */
async function joinCall<T>(
  policy: InCallExecutor,
  operation: Operation<T>,
  options: CallOptions,
  parent: Call,
  clock: Clock,
): Promise<T> {
  const { signal, timeoutMs = Number.POSITIVE_INFINITY } = options;
  if (parent.aborted) throw parent.reason;
  const labels = labelsOf(options);
  const remainingMs = parent.remainingMs(clock);
  if (timeoutMs === 0) throw new DeadlineExceededError(labels?.operation, timeoutMs);
  if (remainingMs <= 0) throw new DeadlineExceededError(labels?.operation);
  const joined = parent.join();
  // The timer behind the deadline of a parent that is over is gone.
  const limitMs = joined === 'late' ? Math.min(timeoutMs, remainingMs) : timeoutMs;
  const bounded = limitMs !== Number.POSITIVE_INFINITY || signal !== undefined;
  // A call of its own, as others may join the same parent at the same time.
  const scope = bounded ? parent.scope(clock.monotonic() + limitMs, labels, clock) : undefined;
  const call = scope ?? parent.labelled(labels);
  let failure: { readonly error: unknown } | undefined;
  beginPart(call);
  noteIteration(call, false); // unless the policy says so
  try {
    if (scope === undefined) return await policy.runInCall(operation, call);
    const told = limitMs === timeoutMs ? timeoutMs : undefined;
    return await runInScope(policy, operation, scope, { timeoutMs: told, signal, limitMs }, clock);
  } catch (error) {
    failure = { error };
    throw error;
  } finally {
    endPart(call, failure);
    parent.leave();
  }
}

/** What ends a scope of {@link runInScope}. */
interface Limits {
  /** As the caller gave it, for the message. */
  readonly timeoutMs: number | undefined;
  /** A signal besides its parent's. */
  readonly signal?: AbortSignal | undefined;
  /** How long the scope lasts. @defaultValue timeoutMs */
  readonly limitMs?: number;
}

/** Runs `operation` in a scope that ends with its own timeout or signal. */
function runInScope<T>(
  policy: InCallExecutor,
  operation: Operation<T>,
  scope: CallScope,
  { timeoutMs, signal, limitMs = timeoutMs ?? Number.POSITIVE_INFINITY }: Limits,
  clock: Clock,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let timer: Scheduled | undefined;
    let expired = false;
    const onAbort = (): void => scope.end(endedByReason(signal?.reason), signal?.reason);
    const cleanUp = (): void => {
      timer?.cancel();
      stopListening(signal, onAbort);
    };
    try {
      if (limitMs !== Number.POSITIVE_INFINITY) {
        timer = clock.schedule(() => {
          expired = true;
          if (scope.aborted) {
            // Its operation ignores the signal. What ended the call first is what it fails with.
            scope.release(cleanUp);
            reject(scope.reason);
            return;
          }
          const exceeded = (): Error =>
            new DeadlineExceededError(scope.operation, timeoutMs, scope.lastFailure);
          const error = exceeded();
          scope.end('deadline', exceeded(), error);
          scope.release(cleanUp);
          reject(error);
        }, limitMs);
      }
      if (signal !== undefined) listenForAbort(signal, onAbort);
    } catch (error) {
      scope.release(cleanUp); // a clock or signal that refuses leaves nothing behind
      throw error;
    }
    const run = async (): Promise<void> => {
      try {
        const value = await policy.runInCall(operation, scope);
        scope.release(cleanUp);
        if (expired) discardBody(value); // nobody gets it
        resolve(value);
      } catch (error) {
        scope.release(cleanUp);
        if (expired) discardBody(error);
        reject(error);
      }
    };
    void run();
  });
}
