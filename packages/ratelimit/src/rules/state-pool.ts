/** Numbers per pool. */
const POOL_SIZE = 512;

/** A place for a few numbers. */
export interface Place {
  readonly state: Float64Array;
  readonly at: number;
}

let pool = new Float64Array(0);
let taken = 0;

/**
 * A place for `slots` numbers, in an array shared with others: one of its own costs fifteen times
 * what it holds. An array goes when the last limiter that has a place in it does.
 */
export function placeFor(slots: number): Place {
  if (slots > POOL_SIZE / 8) return { state: new Float64Array(slots), at: 0 };
  if (taken + slots > pool.length) {
    pool = new Float64Array(POOL_SIZE);
    taken = 0;
  }
  const at = taken;
  taken += slots;
  return { state: pool, at };
}
