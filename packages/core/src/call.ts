import type { Clock } from './clock.ts';
import { AbortScope, CallContext, isCallContext } from './context.ts';
import { DeadlineExceededError } from './errors.ts';
import { checkNumber } from './options.ts';
import type {
  ExecuteOptions,
  ExecutionContext,
  Executor,
  InCallExecutor,
  Operation,
  Outcome,
  Policy,
  PolicyDescription,
} from './policy.ts';

/** What every Temper policy is made from: a subclass supplies {@link InCallExecutor.runInCall} and `stats`. */
export abstract class PolicyBase implements Policy, InCallExecutor {
  readonly name: string;
  protected readonly clock: Clock;

  constructor(name: string, clock: Clock) {
    this.name = name;
    this.clock = clock;
  }

  abstract runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T>;
  abstract stats(): object;
  abstract [Symbol.dispose](): void;

  /** What composers should know of this policy. */
  describe(): PolicyDescription {
    return { kind: 'policy' };
  }

  execute<T>(operation: Operation<T>, options?: ExecuteOptions | ExecutionContext): Promise<T> {
    return options === undefined
      ? this.runInCall(operation, new CallContext())
      : enterCall(this, operation, options, this.clock);
  }

  async tryExecute<T>(
    operation: Operation<T>,
    options?: ExecuteOptions | ExecutionContext,
  ): Promise<Outcome<T>> {
    try {
      return { ok: true, value: await this.execute(operation, options) };
    } catch (error) {
      return { ok: false, error };
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: see Policy.wrap
  wrap<F extends (...args: any[]) => PromiseLike<unknown>>(fn: F): F;
  wrap<This, Args extends readonly unknown[], R>(
    fn: (this: This, ...args: Args) => R,
  ): (this: This, ...args: Args) => Promise<Awaited<R>>;
  wrap(fn: (...args: unknown[]) => unknown): unknown {
    return wrapWith(this, fn);
  }
}

/** Wraps `fn` so that each call of it runs under `executor`, with `this`, name and arity kept. */
export function wrapWith(
  executor: Executor,
  fn: (...args: unknown[]) => unknown,
): (...args: unknown[]) => Promise<unknown> {
  const wrapped = function (this: unknown, ...args: unknown[]): Promise<unknown> {
    return executor.execute(() => fn.apply(this, args));
  };
  Object.defineProperty(wrapped, 'name', { value: fn.name, configurable: true });
  Object.defineProperty(wrapped, 'length', { value: fn.length, configurable: true });
  return wrapped;
}

/**
 * Opens a call from the outside: checks the caller's options, makes the context, enforces the
 * deadline, and hands over to the policy.
 *
 * @throws {RangeError} (as a rejection) when `deadlineMs` is negative or not a number
 * @throws {DeadlineExceededError} (as a rejection) when the deadline passes; at once, without calling
 * the operation, when it is 0
 * @throws `signal.reason` (as a rejection) when the signal or the outer call has aborted already
 */
export function enterCall<T>(
  policy: InCallExecutor,
  operation: Operation<T>,
  options: ExecuteOptions | ExecutionContext,
  clock: Clock,
): Promise<T> {
  try {
    if (isCallContext(options)) {
      if (options.aborted) throw options.reason;
      return policy.runInCall(operation, options);
    }
    options.signal?.throwIfAborted();
    const { deadlineMs } = options as ExecuteOptions;
    if (deadlineMs !== undefined) checkNumber('execute', 'deadlineMs', deadlineMs, { min: 0 });
    if (deadlineMs === undefined || deadlineMs === Number.POSITIVE_INFINITY) {
      return policy.runInCall(operation, CallContext.root(options as ExecuteOptions));
    }
    return runWithDeadline(policy, operation, options as ExecuteOptions, deadlineMs, clock);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Runs `operation` under a deadline: past it the scope aborts and the call rejects at once. */
function runWithDeadline<T>(
  policy: InCallExecutor,
  operation: Operation<T>,
  options: ExecuteOptions,
  deadlineMs: number,
  clock: Clock,
): Promise<T> {
  if (deadlineMs === 0) throw new DeadlineExceededError(options.operation, deadlineMs);
  const scope = new AbortScope(
    1,
    clock.monotonic() + deadlineMs,
    options.operation,
    options.attributes,
    options.signal,
  );
  return new Promise<T>((resolve, reject) => {
    const timer = clock.schedule(() => {
      const error = new DeadlineExceededError(options.operation, deadlineMs);
      scope.abort(error);
      scope.release();
      reject(error);
    }, deadlineMs);
    const settle = (): void => {
      timer.cancel();
      scope.release();
    };
    inCall(policy, operation, scope).then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: unknown) => {
        settle();
        reject(error);
      },
    );
  });
}

/** {@link InCallExecutor.runInCall} of any make: one that throws where it should reject does no harm. */
function inCall<T>(
  policy: InCallExecutor,
  operation: Operation<T>,
  context: CallContext,
): Promise<T> {
  try {
    return policy.runInCall(operation, context);
  } catch (error) {
    return Promise.reject(error);
  }
}
