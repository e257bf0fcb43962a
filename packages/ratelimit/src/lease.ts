import type { Lease } from './limiter.ts';

/** A lease of units that do not come back: those of a rate limiter. */
class SpentLease implements Lease {
  readonly cost: number;

  constructor(cost: number) {
    this.cost = cost;
  }

  release(): void {}

  [Symbol.dispose](): void {}
}

/** The lease of one unit. Shared by all calls, as it knows nothing of its holder. */
const ONE: Lease = new SpentLease(1);

/** The lease of units that are spent. Allocates nothing for a cost of 1. */
export function leaseOf(cost: number): Lease {
  return cost === 1 ? ONE : new SpentLease(cost);
}
