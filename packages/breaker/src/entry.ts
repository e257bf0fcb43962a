import {
  CallContext,
  type ExecuteOptions,
  type ExecutionContext,
  isCallContext,
  type Operation,
} from '@temper/core';

/** What a disabled breaker does. */
export async function pass<T>(operation: Operation<T>, context: CallContext): Promise<T> {
  return operation(context);
}

/**
 * Rejects one step later: a promise that is rejected before its caller can take hold of it makes Node
 * book it as unhandled, and book it back, which takes twice as long as all the rest.
 */
export async function reject(error: Error): Promise<never> {
  await undefined;
  throw error;
}

/** The context of a call that has neither a signal nor a deadline to be checked at its beginning. */
export function contextOf(
  options: ExecuteOptions | ExecutionContext | undefined,
): CallContext | undefined {
  if (options === undefined) return new CallContext();
  if (isCallContext(options)) return options;
  const { signal, deadlineMs } = options as ExecuteOptions;
  return signal === undefined && deadlineMs === undefined
    ? CallContext.root(options as ExecuteOptions)
    : undefined;
}
