import { checkType, Listeners } from '@temper/core/policy';
import type { CircuitSharing } from '../sharing.ts';
import { StoreFleet } from './fleet.ts';
import { resolveSharedCircuit, type SharedCircuitOptions } from './options.ts';

/**
 * Lets circuits decide together with those of the same name in other processes. Each process still
 * judges by its own calls and can open alone; when more than a quorum are open, all are, and then one
 * trial at a time runs in the whole fleet. When the store fails or is late, each decides alone.
 *
 * ```ts
 * const shared = sharedCircuit({ store: redisStore({ client }) });
 * const payments = circuitBreaker({ name: 'payments', shared });
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range; the message names the
 * option, the range and the value
 */
export function sharedCircuit(options: SharedCircuitOptions): CircuitSharing {
  const resolved = resolveSharedCircuit(options);
  const storeErrors = new Listeners<unknown>('sharedCircuit', 'onStoreError');
  if (resolved.onStoreError !== undefined) storeErrors.add(resolved.onStoreError);
  return {
    join: (node) => new StoreFleet(node, resolved, storeErrors),
    onStoreError: (listener) => {
      checkType('sharedCircuit', 'the listener of onStoreError', listener, 'function');
      return storeErrors.add(listener);
    },
  };
}
