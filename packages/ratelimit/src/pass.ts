import type { Operation } from '@temper/core';
import type { Call } from '@temper/core/policy';

/**
 * Calls an operation that has nothing to give back when it ends. Its native promise is the result as it
 * is, which saves a promise per call; a throw becomes a rejection, and a thenable is adopted once.
 */
export function pass<T>(operation: Operation<T>, call: Call): Promise<T> {
  try {
    const result = operation(call);
    return result instanceof Promise ? result : Promise.resolve(result);
  } catch (error) {
    return Promise.reject(error);
  }
}
