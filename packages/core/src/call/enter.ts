import { notify } from '../callbacks.ts';
import type { Clock, Scheduled } from '../clock.ts';
import type {
  CallOptions,
  Executor,
  Operation,
  Outcome,
  Policy,
  PolicyDescription,
  WrapOptions,
} from '../contract.ts';
import { DeadlineExceededError } from '../errors.ts';
import { show } from '../options.ts';
import { Call, type CallScope, endedByReason } from './context.ts';
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
    if (options !== undefined || typeof operation !== 'function') {
      return enterCall(this, operation, options, this.name, this.clock);
    }
    try {
      return this.runInCall(operation, new Call());
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async tryExecute<T>(operation: Operation<T>, options?: CallOptions): Promise<Outcome<T>> {
    try {
      return { ok: true, value: await this.execute(operation, options) };
    } catch (error) {
      return { ok: false, error };
    }
  }

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

/**
 * Wraps `fn` so that each call of it runs under `executor`, with `this`, name and arity kept.
 *
 * @param options - call options, or a function of the arguments (and `this`) that returns them
 * @throws {TypeError} when `fn` is not a function, or fixed options are not {@link CallOptions}
 */
export function wrapWith(
  executor: Executor,
  fn: (...args: unknown[]) => unknown,
  options?: WrapOptions,
): (...args: unknown[]) => Promise<unknown> {
  const owner = (executor as { name?: unknown }).name ?? 'wrap';
  if (typeof fn !== 'function') {
    throw new TypeError(`${owner}: wrap needs a function, got ${show(fn)}.`);
  }
  if (options !== undefined && typeof options !== 'function') {
    checkCallOptions(String(owner), options);
  }
  const wrapped =
    typeof options === 'function'
      ? async function (this: unknown, ...args: unknown[]): Promise<unknown> {
          const own = options.apply(this as never, args);
          // A promise is refused by `execute`; its rejection must not end the process.
          notify(String(owner), 'wrap options', () => own);
          return executor.execute(() => fn.apply(this, args), own);
        }
      : function (this: unknown, ...args: unknown[]): Promise<unknown> {
          return executor.execute(() => fn.apply(this, args), options);
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
  try {
    if (typeof operation !== 'function') {
      throw new TypeError(`${owner}: the operation must be a function, got ${show(operation)}.`);
    }
    if (options === undefined) return policy.runInCall(operation, new Call());
    const only = onlySignal(options);
    if (only !== undefined) {
      if (only.aborted) throw only.reason;
      return policy.runInCall(operation, new Call(1, undefined, undefined, only));
    }
    checkCallOptions(owner, options);
    const { signal, timeoutMs = Number.POSITIVE_INFINITY } = options;
    const parent = options.parent as Call | undefined;
    if (signal?.aborted === true) throw signal.reason;
    if (parent?.aborted === true) throw parent.reason;
    if (parent !== undefined && parent.remainingMs(clock) <= 0) {
      throw new DeadlineExceededError(options.operation ?? parent.operation);
    }
    const labels = labelsOf(options);
    if (timeoutMs === 0) throw new DeadlineExceededError(labels?.operation, timeoutMs);
    if (timeoutMs === Number.POSITIVE_INFINITY) {
      if (parent === undefined) {
        return policy.runInCall(operation, new Call(1, undefined, labels, signal));
      }
      if (signal === undefined) {
        const call = labels === parent.labels ? parent : parent.labelled(labels as never);
        return policy.runInCall(operation, call);
      }
    }
    const call = parent ?? new Call(1, undefined, labels, signal);
    const scope = call.scope(clock.monotonic() + timeoutMs, labels);
    return runInScope(policy, operation, scope, parent && signal, timeoutMs, clock);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Runs `operation` in a scope that ends with its own timeout, or with a signal besides its parent's. */
function runInScope<T>(
  policy: InCallExecutor,
  operation: Operation<T>,
  scope: CallScope,
  signal: AbortSignal | undefined,
  timeoutMs: number,
  clock: Clock,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let timer: Scheduled | undefined;
    const onAbort = (): void => scope.end(endedByReason(signal?.reason), signal?.reason);
    const leave = (): void => {
      timer?.cancel();
      signal?.removeEventListener('abort', onAbort);
      scope.release();
    };
    try {
      if (timeoutMs !== Number.POSITIVE_INFINITY) {
        timer = clock.schedule(() => {
          const error = new DeadlineExceededError(scope.operation, timeoutMs);
          scope.end('deadline', error);
          leave();
          reject(error);
        }, timeoutMs);
      }
      signal?.addEventListener('abort', onAbort, { once: true });
    } catch (error) {
      leave(); // a clock or signal that refuses leaves nothing behind
      throw error;
    }
    const run = async (): Promise<void> => {
      try {
        const value = await policy.runInCall(operation, scope);
        leave();
        resolve(value);
      } catch (error) {
        leave();
        reject(error);
      }
    };
    void run();
  });
}
