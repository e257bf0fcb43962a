/** What a window has counted. */
export interface WindowCounts {
  readonly calls: number;
  readonly failures: number;
  /** Slow ones, whether they failed or not. */
  readonly slow: number;
}

/** What a window has counted, as shares: 0 when it is empty, `undefined` where none is taken. */
export interface WindowRatios {
  readonly failure: number | undefined;
  readonly slow: number | undefined;
}

/** The shares that are taken under these options: none of failures in a row, slow ones where asked. */
export function ratiosOf(
  { calls, failures, slow }: WindowCounts,
  options: { readonly window?: WindowOptions; readonly slowCallDurationMs?: number },
): WindowRatios {
  if (options.window === undefined) return { failure: undefined, slow: undefined };
  const share = (part: number): number => (calls === 0 ? 0 : part / calls);
  return {
    failure: share(failures),
    slow: options.slowCallDurationMs === undefined ? undefined : share(slow),
  };
}

/** The calls that a closed circuit judges by. Adding one takes constant time; none needs a timer. */
export interface Window {
  /** @param at - monotonic milliseconds; only a time window looks at it */
  record(failed: boolean, slow: boolean, at: number): void;
  counts(at: number): WindowCounts;
  reset(): void;
  /** What it holds, as plain data, for a snapshot. */
  save(at: number): SavedWindow;
  /** Takes it back in. Data of another kind of window is left out. */
  load(saved: SavedWindow, at: number, elapsedMs: number): void;
}

/** A window as plain data. */
export type SavedWindow =
  | { readonly kind: 'consecutive'; readonly failures: number }
  /** One digit per call, oldest first: 1 for failed, 2 for slow, 3 for both. */
  | { readonly kind: 'calls'; readonly calls: string }
  | {
      readonly kind: 'time';
      readonly bucketMs: number;
      /** Age of the bucket's end in milliseconds, calls, failures, slow ones; oldest first. */
      readonly buckets: readonly (readonly [number, number, number, number])[];
    };

/**
 * The calls that rates are taken over: the last `calls` of them, or those of the last `durationMs`,
 * which leave in `buckets` (10) steps.
 */
export type WindowOptions =
  | { readonly calls: number }
  | { readonly durationMs: number; readonly buckets?: number };

/** Steps in which calls leave a time window, unless said otherwise. */
export const DEFAULT_BUCKETS = 10;

/** The window that the options ask for; without any, failures in a row. */
export function makeWindow(options: WindowOptions | undefined): Window {
  if (options === undefined) return new ConsecutiveFailures();
  return 'calls' in options
    ? new CallWindow(options.calls)
    : new TimeWindow(options.durationMs, options.buckets ?? DEFAULT_BUCKETS);
}

/** Failures since the last success. */
export class ConsecutiveFailures implements Window {
  failures = 0;

  record(failed: boolean): void {
    this.failures = failed ? this.failures + 1 : 0;
  }

  counts(): WindowCounts {
    return { calls: this.failures, failures: this.failures, slow: 0 };
  }

  reset(): void {
    this.failures = 0;
  }

  save(): SavedWindow {
    return { kind: 'consecutive', failures: this.failures };
  }

  load(saved: SavedWindow): void {
    if (saved.kind === 'consecutive') this.failures = saved.failures;
  }
}

const FAILED = 1;
const SLOW = 2;

/** The last so many calls, in a ring. */
export class CallWindow implements Window {
  readonly #size: number;
  /** Made for the first call, so that an idle breaker stays small. */
  #ring: Uint8Array | undefined;
  #next = 0;
  #calls = 0;
  #failures = 0;
  #slow = 0;

  constructor(size: number) {
    this.#size = size;
  }

  record(failed: boolean, slow: boolean): void {
    this.#push((failed ? FAILED : 0) | (slow ? SLOW : 0));
  }

  #push(call: number): void {
    this.#ring ??= new Uint8Array(this.#size);
    const ring = this.#ring;
    if (this.#calls === this.#size) {
      const oldest = ring[this.#next] as number;
      this.#failures -= oldest & FAILED;
      this.#slow -= oldest >> 1;
    } else {
      this.#calls++;
    }
    ring[this.#next] = call;
    this.#failures += call & FAILED;
    this.#slow += call >> 1;
    this.#next = this.#next + 1 === this.#size ? 0 : this.#next + 1;
  }

  counts(): WindowCounts {
    return { calls: this.#calls, failures: this.#failures, slow: this.#slow };
  }

  reset(): void {
    this.#next = 0;
    this.#calls = 0;
    this.#failures = 0;
    this.#slow = 0;
  }

  save(): SavedWindow {
    const first = this.#calls === this.#size ? this.#next : 0;
    let calls = '';
    for (let i = 0; i < this.#calls; i++) calls += this.#ring?.[(first + i) % this.#size];
    return { kind: 'calls', calls };
  }

  load(saved: SavedWindow): void {
    if (saved.kind !== 'calls') return;
    this.reset();
    for (const call of saved.calls) this.#push(Number(call));
  }
}

/** Numbers kept per bucket: calls, failures, slow ones. */
const FIELDS = 3;

/**
 * The calls of the last so many milliseconds, in buckets that leave the window one at a time: none in
 * it is older than `durationMs`, and none younger than that by more than a bucket has left it.
 */
export class TimeWindow implements Window {
  readonly #buckets: number;
  readonly #bucketMs: number;
  /** Made for the first call, so that an idle breaker stays small. */
  #ring: Uint32Array | undefined;
  /** Number of the current bucket since time began. */
  #current = 0;
  #calls = 0;
  #failures = 0;
  #slow = 0;

  constructor(durationMs: number, buckets: number) {
    this.#buckets = buckets;
    this.#bucketMs = durationMs / buckets;
  }

  record(failed: boolean, slow: boolean, at: number): void {
    this.#turn(at);
    this.#add(this.#current, 1, failed ? 1 : 0, slow ? 1 : 0);
  }

  #add(bucket: number, calls: number, failures: number, slow: number): void {
    this.#ring ??= new Uint32Array(this.#buckets * FIELDS);
    const ring = this.#ring;
    const offset = this.#offset(bucket);
    ring[offset] = (ring[offset] as number) + calls;
    ring[offset + 1] = (ring[offset + 1] as number) + failures;
    ring[offset + 2] = (ring[offset + 2] as number) + slow;
    this.#calls += calls;
    this.#failures += failures;
    this.#slow += slow;
  }

  /** Where a bucket lies in the ring. One from before the clock began has a negative number. */
  #offset(bucket: number): number {
    const index = bucket % this.#buckets;
    return (index < 0 ? index + this.#buckets : index) * FIELDS;
  }

  /** Lets go of the buckets that have left the window by now. */
  #turn(at: number): void {
    const now = Math.floor(at / this.#bucketMs);
    if (now <= this.#current) return;
    const ring = this.#ring;
    if (ring !== undefined) {
      const gone = Math.min(this.#buckets, now - this.#current);
      for (let i = 1; i <= gone; i++) {
        const offset = this.#offset(this.#current + i);
        this.#calls -= ring[offset] as number;
        this.#failures -= ring[offset + 1] as number;
        this.#slow -= ring[offset + 2] as number;
        ring.fill(0, offset, offset + FIELDS);
      }
    }
    this.#current = now;
  }

  counts(at: number): WindowCounts {
    this.#turn(at);
    return { calls: this.#calls, failures: this.#failures, slow: this.#slow };
  }

  reset(): void {
    this.#ring?.fill(0);
    this.#calls = 0;
    this.#failures = 0;
    this.#slow = 0;
  }

  save(at: number): SavedWindow {
    this.#turn(at);
    const buckets: [number, number, number, number][] = [];
    for (let i = this.#buckets - 1; i >= 0; i--) {
      const bucket = this.#current - i;
      const offset = this.#offset(bucket);
      const [calls = 0, failures = 0, slow = 0] = this.#ring?.subarray(offset) ?? [];
      const age = at - (bucket + 1) * this.#bucketMs;
      if (calls > 0) buckets.push([age, calls, failures, slow]);
    }
    return { kind: 'time', bucketMs: this.#bucketMs, buckets };
  }

  load(saved: SavedWindow, at: number, elapsedMs: number): void {
    if (saved.kind !== 'time' || saved.bucketMs !== this.#bucketMs) return;
    this.reset();
    this.#turn(at);
    const oldest = this.#current - this.#buckets + 1;
    for (const [age, calls, failures, slow] of saved.buckets) {
      const endedMs = age + elapsedMs;
      if (endedMs >= (this.#buckets - 1) * this.#bucketMs) continue; // it has left the window
      // The buckets of another clock begin at other times: each goes where its middle lies.
      const middle = Math.floor((at - endedMs) / this.#bucketMs - 0.5);
      this.#add(Math.max(oldest, Math.min(this.#current, middle)), calls, failures, slow);
    }
  }
}
