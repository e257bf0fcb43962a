import type { Lease } from './limiter.ts';

/** A lease of something that does not come back: the units of a rate limiter. */
class SpentLease implements Lease {
  readonly cost: number;

  constructor(cost: number) {
    this.cost = cost;
  }

  release(): void {
    // What a rate limiter gave is spent.
  }

  [Symbol.dispose](): void {
    // As above.
  }
}

/** The lease of a single unit, shared by everybody, as it knows nothing of its holder. */
const ONE: Lease = new SpentLease(1);

/** The lease of units that are spent. */
export function leaseOf(cost: number): Lease {
  return cost === 1 ? ONE : new SpentLease(cost);
}
