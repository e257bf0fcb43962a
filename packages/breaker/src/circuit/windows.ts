import type { SavedCalls, Window, WindowCounts, WindowOptions } from './window.ts';

/** Steps in which calls leave a window of time. */
export const DEFAULT_BUCKETS = 10;

/** Creates the window for these options; without options it counts failures in a row. */
export function createWindow(options: WindowOptions | undefined): Window {
  if (options === undefined) return new ConsecutiveFailures();
  return 'calls' in options
    ? new CallWindow(options.calls)
    : new TimeWindow(options.durationMs, options.buckets ?? DEFAULT_BUCKETS);
}

/** Failures since the last success. */
export class ConsecutiveFailures implements Window {
  readonly kind = 'consecutive';
  #failures = 0;

  record(failed: boolean): void {
    this.#failures = failed ? this.#failures + 1 : 0;
  }

  counts(): WindowCounts {
    return { calls: this.#failures, failures: this.#failures, slow: 0 };
  }

  save(): readonly SavedCalls[] {
    return [[0, this.#failures, this.#failures, 0]];
  }

  load(calls: readonly SavedCalls[]): void {
    this.#failures = calls[0]?.[2] ?? 0;
  }

  reset(): void {
    this.#failures = 0;
  }
}

const FAILED = 1;
const SLOW = 2;

/** The last calls, in a ring of one byte per call. */
export class CallWindow implements Window {
  readonly kind = 'calls';
  readonly #size: number;
  /** Created for the first call, so that an idle breaker stays small. */
  #ring: Uint8Array | undefined;
  #next = 0;
  #calls = 0;
  #failures = 0;
  #slow = 0;

  constructor(size: number) {
    this.#size = size;
  }

  record(failed: boolean, slow: boolean): void {
    this.#ring ??= new Uint8Array(this.#size);
    const ring = this.#ring;
    if (this.#calls === this.#size) {
      const oldest = ring[this.#next] as number;
      this.#failures -= oldest & FAILED;
      this.#slow -= oldest >> 1;
    } else {
      this.#calls++;
    }
    const call = (failed ? FAILED : 0) | (slow ? SLOW : 0);
    ring[this.#next] = call;
    this.#failures += call & FAILED;
    this.#slow += call >> 1;
    this.#next = this.#next + 1 === this.#size ? 0 : this.#next + 1;
  }

  counts(): WindowCounts {
    return { calls: this.#calls, failures: this.#failures, slow: this.#slow };
  }

  save(): readonly SavedCalls[] {
    const first = this.#calls === this.#size ? this.#next : 0;
    return Array.from({ length: this.#calls }, (_, i) => {
      const call = this.#ring?.[(first + i) % this.#size] as number;
      return [0, 1, call & FAILED, call >> 1];
    });
  }

  load(saved: readonly SavedCalls[]): void {
    for (const [, , failures, slow] of saved) this.record(failures > 0, slow > 0);
  }

  reset(): void {
    this.#next = 0;
    this.#calls = 0;
    this.#failures = 0;
    this.#slow = 0;
  }
}

/** The calls that ended within one step of a window of time. */
interface Bucket {
  /** Number of the step since the clock's zero. */
  readonly step: number;
  calls: number;
  failures: number;
  slow: number;
}

/**
 * The calls of the last milliseconds, in buckets that leave the window as a whole: none in it is older
 * than `durationMs`, and none that has left it is younger than that by more than one bucket.
 */
export class TimeWindow implements Window {
  readonly kind = 'time';
  readonly #size: number;
  readonly #bucketMs: number;
  /** Those with calls, oldest first. */
  #buckets: Bucket[] = [];
  #calls = 0;
  #failures = 0;
  #slow = 0;

  constructor(durationMs: number, buckets: number) {
    this.#size = buckets;
    this.#bucketMs = durationMs / buckets;
  }

  record(failed: boolean, slow: boolean, at: number): void {
    const step = Math.floor(at / this.#bucketMs);
    this.#expire(step);
    this.#add(step, 1, failed ? 1 : 0, slow ? 1 : 0);
  }

  counts(at: number): WindowCounts {
    this.#expire(Math.floor(at / this.#bucketMs));
    return { calls: this.#calls, failures: this.#failures, slow: this.#slow };
  }

  save(at: number): readonly SavedCalls[] {
    this.#expire(Math.floor(at / this.#bucketMs));
    return this.#buckets.map(({ step, calls, failures, slow }) => {
      const middle = (step + 0.5) * this.#bucketMs;
      return [at - middle, calls, failures, slow];
    });
  }

  load(saved: readonly SavedCalls[], at: number): void {
    const current = Math.floor(at / this.#bucketMs);
    const oldest = current - this.#size + 1;
    for (const [ageMs, calls, failures, slow] of saved) {
      if (ageMs >= (this.#size - 0.5) * this.#bucketMs) continue; // it has left the window
      // Another clock's steps begin at other times: each bucket goes where its middle lies.
      const step = Math.floor((at - ageMs) / this.#bucketMs);
      this.#add(Math.max(oldest, Math.min(current, step)), calls, failures, slow);
    }
  }

  reset(): void {
    this.#buckets = [];
    this.#calls = 0;
    this.#failures = 0;
    this.#slow = 0;
  }

  #add(step: number, calls: number, failures: number, slow: number): void {
    let bucket = this.#buckets.at(-1);
    if (bucket === undefined || bucket.step < step) {
      bucket = { step, calls: 0, failures: 0, slow: 0 };
      this.#buckets.push(bucket);
    }
    bucket.calls += calls;
    bucket.failures += failures;
    bucket.slow += slow;
    this.#calls += calls;
    this.#failures += failures;
    this.#slow += slow;
  }

  /** Drops the buckets that have left the window by now. */
  #expire(current: number): void {
    for (;;) {
      const oldest = this.#buckets[0];
      if (oldest === undefined || current - oldest.step < this.#size) return;
      this.#buckets.shift();
      this.#calls -= oldest.calls;
      this.#failures -= oldest.failures;
      this.#slow -= oldest.slow;
    }
  }
}
