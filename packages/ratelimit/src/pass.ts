import type { Operation } from '@temper/core';
import { type Call, nativePromise } from '@temper/core/policy';

/**
 * Calls an operation that has nothing to give back when it ends. Its native promise is the result as it
 * is, which saves a promise per call; a throw becomes a rejection, and any other promise is adopted once.
 */
export function pass<T>(operation: Operation<T>, call: Call): Promise<T> {
  try {
    return nativePromise(operation(call)) as Promise<T>;
  } catch (error) {
    return Promise.reject(error);
  }
}
