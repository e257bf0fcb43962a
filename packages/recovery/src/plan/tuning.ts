import type { Clock } from '@temper/core';
import { LatencyWindow } from '../latency/window.ts';

/** Durations that observed latencies suggest. They are for the author of the plan; nothing applies them. */
export interface Suggestion {
  /** Three times the 99th percentile, so that few calls are cut off that would have answered. */
  readonly attemptTimeoutMs: number;
  /** The 95th percentile: one call in twenty would be hedged. */
  readonly hedgeDelayMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** Successful calls of the last ten minutes that were measured. */
  readonly samples: number;
}

const WINDOW_MS = 600_000;
/** Of fewer calls, the 99th percentile is the maximum. */
const MIN_SAMPLES = 100;

/** Measures how long successful calls take. */
export class Tuning {
  readonly #window: LatencyWindow;

  constructor(clock: Clock) {
    this.#window = new LatencyWindow(clock, WINDOW_MS);
  }

  took(ms: number): void {
    this.#window.record(ms);
  }

  suggest(): Suggestion | undefined {
    const samples = this.#window.count;
    if (samples < MIN_SAMPLES) return undefined;
    const at = (q: number): number => Math.ceil(this.#window.quantile(q) as number);
    return {
      attemptTimeoutMs: at(0.99) * 3,
      hedgeDelayMs: at(0.95),
      p50Ms: at(0.5),
      p95Ms: at(0.95),
      p99Ms: at(0.99),
      samples,
    };
  }
}
