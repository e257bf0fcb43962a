import type { Clock } from '@temper/core';

/** Shortest latency that is resolved, in milliseconds; shorter ones count as this. */
const SHORTEST_MS = 0.1;
/** Longest latency that is resolved, in milliseconds; longer ones count as this. */
const LONGEST_MS = 3_600_000;
/** Each bucket ends this much above the one before it, which bounds the error of a quantile. */
const GROWTH = 1.1;
const BUCKETS: number = Math.ceil(Math.log(LONGEST_MS / SHORTEST_MS) / Math.log(GROWTH)) + 1;
/** Counts the calls that were cut off. */
const CUT_OFF = BUCKETS;
const SLOTS: number = BUCKETS + 1;
/** The window is counted in this many slices; an observation expires with its slice. */
const SLICES = 6;

/** Where each bucket ends, in milliseconds. */
const UPPER: readonly number[] = Array.from({ length: BUCKETS }, (_, index) =>
  Math.min(LONGEST_MS, SHORTEST_MS * GROWTH ** index),
);

/**
 * Quantiles of recent latencies in a fixed 5 KB: counts in buckets that grow by a tenth, in slices that
 * expire one by one. A quantile is never below the true one of the recorded values, and at most 10 %
 * above (between 0.1 ms and an hour).
 *
 * A call that was cut off has no latency, only a lower bound of it. Such a call ranks above all others.
 *
 * Source of the logarithmic buckets: C. Masson et al., "DDSketch", VLDB 2019.
 */
export class LatencyWindow {
  readonly #clock: Clock;
  readonly #sliceMs: number;
  readonly #slices = new Uint32Array(SLICES * SLOTS);
  readonly #totals = new Uint32Array(SLOTS);
  #count = 0;
  #sumMs = 0;
  readonly #sums = new Float64Array(SLICES);
  #slice: number;
  /** Grows with each observation and each slice that expires. */
  #version = 0;

  /** @param windowMs - how long an observation counts, in milliseconds, to within a sixth */
  constructor(clock: Clock, windowMs: number) {
    this.#clock = clock;
    this.#sliceMs = windowMs / SLICES;
    this.#slice = this.#current();
  }

  /** @param ms - what a call took, in milliseconds */
  record(ms: number): void {
    const slice = this.#turn();
    this.#add(slice, bucketOf(ms));
    this.#sums[slice] = (this.#sums[slice] as number) + ms;
    this.#sumMs += ms;
  }

  /** Counts a call that was cut off: it would have taken longer. */
  recordCutOff(): void {
    this.#add(this.#turn(), CUT_OFF);
  }

  #add(slice: number, bucket: number): void {
    const index = slice * SLOTS + bucket;
    this.#slices[index] = (this.#slices[index] as number) + 1;
    this.#totals[bucket] = (this.#totals[bucket] as number) + 1;
    this.#count++;
    this.#version++;
  }

  /** Forgets all observations. */
  clear(): void {
    for (let slice = 0; slice < SLICES; slice++) this.#empty(slice);
  }

  /** The share of the observations that are calls which were cut off; 0 without any. */
  get cutOffShare(): number {
    this.#turn();
    return this.#count === 0 ? 0 : (this.#totals[CUT_OFF] as number) / this.#count;
  }

  /** Observations that count now, those of calls that were cut off included. */
  get count(): number {
    this.#turn();
    return this.#count;
  }

  /** Changes when the result of {@link quantile} may change. */
  get version(): number {
    this.#turn();
    return this.#version;
  }

  /** The mean of what was recorded, in milliseconds; `undefined` when nothing was. */
  mean(): number | undefined {
    this.#turn();
    const recorded = this.#count - (this.#totals[CUT_OFF] as number);
    return recorded === 0 ? undefined : this.#sumMs / recorded;
  }

  /**
   * The latency, in milliseconds, that a share `q` of the observations does not exceed.
   *
   * @param q - from 0 to 1
   * @returns `undefined` without observations, `Infinity` when too many calls were cut off to know
   */
  quantile(q: number): number | undefined {
    this.#turn();
    if (this.#count === 0) return undefined;
    const rank = Math.max(1, Math.ceil(q * this.#count));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#totals[bucket] as number;
      if (seen >= rank) return UPPER[bucket];
    }
    return Number.POSITIVE_INFINITY;
  }

  #current(): number {
    return Math.floor(this.#clock.monotonic() / this.#sliceMs);
  }

  /** Clears the slices that have expired, and returns the index of the current one. */
  #turn(): number {
    const now = this.#current();
    const expired = Math.min(SLICES, now - this.#slice);
    for (let i = 1; i <= expired; i++) this.#empty((this.#slice + i) % SLICES);
    if (now > this.#slice) this.#slice = now;
    return this.#slice % SLICES;
  }

  #empty(slice: number): void {
    const from = slice * SLOTS;
    for (let bucket = 0; bucket < SLOTS; bucket++) {
      const gone = this.#slices[from + bucket] as number;
      if (gone === 0) continue;
      this.#slices[from + bucket] = 0;
      this.#totals[bucket] = (this.#totals[bucket] as number) - gone;
      this.#count -= gone;
    }
    this.#sums[slice] = 0;
    this.#sumMs = this.#sums.reduce((sum, one) => sum + one, 0); // so that rounding errors do not add up
    this.#version++;
  }
}

function bucketOf(ms: number): number {
  if (!(ms > SHORTEST_MS)) return 0;
  const bucket = Math.ceil(Math.log(ms / SHORTEST_MS) / Math.log(GROWTH));
  if (bucket >= BUCKETS) return BUCKETS - 1;
  // A logarithm may round to either side of a bound.
  if (ms > (UPPER[bucket] as number)) return bucket + 1 < BUCKETS ? bucket + 1 : bucket;
  return bucket > 0 && ms <= (UPPER[bucket - 1] as number) ? bucket - 1 : bucket;
}
