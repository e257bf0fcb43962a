/** What was counted in one step of time. Everything a detector sees. */
export interface Step {
  readonly calls: number;
  /** Failed calls. */
  readonly failed: number;
  /** Calls that succeeded, but took longer than the limit that the user calls slow. */
  readonly slow: number;
  /** Mean natural logarithm of the durations in milliseconds; 0 without calls. */
  readonly logDuration: number;
  /** Variance of that logarithm within the step; 0 with fewer than two calls. */
  readonly logVariance: number;
  /** Attempts beyond the first, in this step. */
  readonly retries: number;
  /** Attempts that timed out, in this step. */
  readonly timeouts: number;
  /** Calls that waited for capacity at the end of the step. */
  readonly queue: number;
  /**
   * Whether the calls of one key were left out, because it causes most of the bad calls by itself.
   * Retries and timeouts are not counted by key, and say little then.
   */
  readonly oneKey: boolean;
}

/**
 * Buckets that keys are hashed into. One key fills one bucket; with fewer buckets a noisy key hides
 * more of the others.
 */
const BUCKETS = 32;
/** What is left of the counts of a bucket after a step: a memory of about twelve steps. */
const DECAY = 0.92;
/** A bucket stands out when it holds this share of the bad calls … */
const LOUD_SHARE = 0.5;
/** … of at least so many bad calls … */
const LOUD_CALLS = 3;
/** … while this share of the calls with a key, or more, comes from other buckets. */
const OTHERS_SHARE = 0.5;
/** Shortest duration that is told from zero, in milliseconds. */
const SHORTEST_MS = 0.01;

/**
 * Adds up the calls of a step, in constant memory and constant time per call. Calls of one key that
 * causes most of the bad calls by itself are left out: one noisy client is not an incident of the
 * dependency.
 */
export class StepBuilder {
  readonly #slowMs: number;
  readonly #calls: Float64Array = new Float64Array(BUCKETS);
  readonly #bad: Float64Array = new Float64Array(BUCKETS);
  /** The bucket whose calls are left out, or -1. */
  #loud = -1;
  #keyed = false;
  #count = 0;
  #failed = 0;
  #slow = 0;
  #sum = 0;
  #squares = 0;

  /** @param slowMs - calls that take longer are slow; `Infinity` for none */
  constructor(slowMs: number) {
    this.#slowMs = slowMs;
  }

  /** @param key - who the call was made for; `undefined` when that is not known */
  record(failed: boolean, durationMs: number, key?: string): void {
    const slow = !failed && durationMs > this.#slowMs;
    if (key !== undefined) {
      const bucket = bucketOf(key);
      this.#keyed = true;
      this.#calls[bucket] = (this.#calls[bucket] as number) + 1;
      if (failed || slow) this.#bad[bucket] = (this.#bad[bucket] as number) + 1;
      if (bucket === this.#loud) return;
    }
    const log = Math.log(Math.max(SHORTEST_MS, durationMs));
    this.#count++;
    if (failed) this.#failed++;
    if (slow) this.#slow++;
    this.#sum += log;
    this.#squares += log * log;
  }

  /** Ends the step and begins the next one. */
  close(retries: number, timeouts: number, queue: number): Step {
    const calls = this.#count;
    const mean = calls === 0 ? 0 : this.#sum / calls;
    const step = {
      calls,
      failed: this.#failed,
      slow: this.#slow,
      logDuration: mean,
      logVariance: calls < 2 ? 0 : Math.max(0, (this.#squares - calls * mean * mean) / (calls - 1)),
      retries,
      timeouts,
      queue,
      oneKey: this.#loud !== -1,
    };
    this.#count = 0;
    this.#failed = 0;
    this.#slow = 0;
    this.#sum = 0;
    this.#squares = 0;
    if (this.#keyed) this.#listen();
    return step;
  }

  /** Finds the key that causes most of the bad calls, if there is one. */
  #listen(): void {
    let calls = 0;
    let bad = 0;
    let worst = 0;
    for (let i = 0; i < BUCKETS; i++) {
      const callsOfBucket = (this.#calls[i] as number) * DECAY;
      const badOfBucket = (this.#bad[i] as number) * DECAY;
      this.#calls[i] = callsOfBucket;
      this.#bad[i] = badOfBucket;
      calls += callsOfBucket;
      bad += badOfBucket;
      if (badOfBucket > (this.#bad[worst] as number)) worst = i;
    }
    const stands =
      bad >= LOUD_CALLS &&
      (this.#bad[worst] as number) > bad * LOUD_SHARE &&
      (this.#calls[worst] as number) < calls * OTHERS_SHARE;
    this.#loud = stands ? worst : -1;
  }
}

/** FNV-1a over at most 32 UTF-16 code units, so that a long key costs no more than a short one. */
function bucketOf(key: string): number {
  let hash = 0x811c9dc5;
  const length = Math.min(32, key.length);
  for (let i = 0; i < length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return ((hash ^ (hash >>> 15)) >>> 0) % BUCKETS;
}
