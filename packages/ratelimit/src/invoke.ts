import type { CallContext, Operation } from '@temper/core';

/** Calls an operation so that whatever it does comes out as a promise. */
export function invoke<T>(operation: Operation<T>, context: CallContext): Promise<T> {
  try {
    const result = operation(context);
    return result instanceof Promise ? result : Promise.resolve(result);
  } catch (error) {
    return Promise.reject(error);
  }
}
