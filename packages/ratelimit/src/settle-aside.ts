import type { Lease } from './limiter.ts';

/**
 * Settles a lease for somebody who does not wait for it. Never throws.
 *
 * @param failed - hears why it was not possible: the lease has no units, the store is away
 */
export function settleAside(lease: Lease, cost: number, failed: (error: unknown) => void): void {
  try {
    if (lease.settle === undefined) throw new TypeError('The limiter has no units to settle.');
    void Promise.resolve(lease.settle(cost)).catch(failed);
  } catch (error) {
    failed(error);
  }
}
