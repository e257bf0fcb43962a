import type { Operation } from '@temper/core';
import type { Call } from '@temper/core/policy';
import type { LosableLease } from './backend.ts';

/** Runs an operation whose signal aborts when others have got the permits that it runs on. */
export async function runWhileHeld<T>(
  operation: Operation<T>,
  call: Call,
  lease: LosableLease,
): Promise<T> {
  const scope = call.scope();
  // Until the lease is lost, a value that is no reason of any abort.
  let lost: unknown = scope;
  lease.watch((error) => {
    lost = error;
    // As if its caller had cancelled it: what becomes of it tells nothing of the dependency.
    scope.end('caller', error);
  });
  try {
    return await operation(scope);
  } catch (error) {
    if (scope.reason !== lost) throw error;
    // The policies around have not ended the call: to them it lacked capacity of our own.
    return await scope.awaitCapacity<T>(() => Promise.reject(error));
  } finally {
    lease.watch(undefined);
    scope.release();
  }
}
