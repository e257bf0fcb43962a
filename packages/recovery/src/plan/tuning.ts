import type { Clock } from '@temper/core';
import { LatencyWindow } from '../latency/window.ts';

/** What the latencies observed suggest. Nothing is changed by it: it is for whoever writes the plan. */
export interface Suggestion {
  /** Three times the 99th percentile: no call that would have answered is likely to be cut off. */
  readonly attemptTimeoutMs: number;
  /** The 95th percentile: a second try beside one in twenty calls. */
  readonly hedgeDelayMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  /** Successful calls of the last ten minutes that this is drawn from. */
  readonly samples: number;
}

const WINDOW_MS = 600_000;
/** The 99th percentile of fewer calls is only their maximum. */
const MIN_SAMPLES = 100;

/** Watches how long successful calls take. */
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
