import type { Clock } from '@temper/core';

/** How an operation fares, and how it will if things go on as they do. */
export interface Forecast {
  /** Share of failed calls at present, smoothed, from 0 to 1. */
  readonly failureRatio: number;
  /** How that share changes per minute. */
  readonly trendPerMinute: number;
  /** Share of failed calls to expect in a minute, if the trend goes on. */
  readonly inOneMinute: number;
  /**
   * Milliseconds until the expected share reaches `threshold`: 0 when it has, `undefined` when the
   * trend does not lead there within ten minutes.
   */
  readonly reachesThresholdInMs: number | undefined;
  /** The share that is asked about. */
  readonly threshold: number;
  /** Calls under way at one time on average: arrivals per second times mean seconds. */
  readonly demand: number;
  /** Calls that the last minute saw. With few of them, all of this says little. */
  readonly calls: number;
}

/** Length of a step: long enough to hold several calls, short enough to see a trend in a minute. */
const STEP_MS = 5000;
/** Steps that the calls and the demand are taken over: one minute. */
const STEPS = 12;
/** Weight of the newest step in the level, if it saw enough calls, and of the newest change in the trend. */
const ALPHA = 0.4;
/** A step with fewer calls than this weighs less: two failures of two calls are no outage. */
const FULL_WEIGHT_CALLS = 10;
const BETA = 0.2;
const STEPS_PER_MINUTE = 60_000 / STEP_MS;
/** Without a call for so long, nothing is known. */
const FORGET_STEPS = 60;
/** A trend is not believed further ahead than this. */
const HORIZON_MS = 600_000;

/**
 * Follows the failure ratio of one operation in steps of five seconds, and its trend, in constant
 * memory; looked up when read, with no timer. A straight line through noise: a hint for alerts and
 * autoscalers, not a verdict, and no policy acts on it.
 *
 * Source: Holt's linear exponential smoothing; Little's law for the demand.
 */
export class FailureTrend {
  readonly #clock: Clock;
  readonly #calls = new Float64Array(STEPS);
  readonly #busyMs = new Float64Array(STEPS);
  #step: number;
  readonly #since: number;
  #ended = 0;
  #failed = 0;
  #level: number | undefined;
  #trend = 0;
  #silent = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#step = this.#current();
    this.#since = clock.monotonic();
  }

  /** A call has ended. */
  record(failed: boolean, elapsedMs: number): void {
    this.#turn();
    const slot = this.#step % STEPS;
    this.#calls[slot] = (this.#calls[slot] as number) + 1;
    this.#busyMs[slot] = (this.#busyMs[slot] as number) + elapsedMs;
    this.#ended++;
    if (failed) this.#failed++;
  }

  /** @param threshold - the failure ratio that is feared, from 0 to 1 */
  forecast(threshold: number): Forecast {
    this.#turn();
    const level = this.#level ?? (this.#ended === 0 ? 0 : this.#failed / this.#ended);
    const trendPerMinute = this.#trend * STEPS_PER_MINUTE;
    const untilMs = level >= threshold ? 0 : ((threshold - level) / trendPerMinute) * 60_000;
    const calls = this.#calls.reduce((sum, one) => sum + one, 0);
    const busyMs = this.#busyMs.reduce((sum, one) => sum + one, 0);
    const now = this.#clock.monotonic();
    const spanMs = Math.min(now - this.#since, (STEPS - 1) * STEP_MS + (now % STEP_MS));
    return {
      failureRatio: level,
      trendPerMinute,
      inOneMinute: clamp(level + trendPerMinute),
      reachesThresholdInMs: untilMs >= 0 && untilMs <= HORIZON_MS ? untilMs : undefined,
      threshold,
      demand: spanMs <= 0 ? 0 : busyMs / Math.max(spanMs, 1000),
      calls,
    };
  }

  #current(): number {
    return Math.floor(this.#clock.monotonic() / STEP_MS);
  }

  /** Closes the step that has ended, and leaves empty the ones that nobody called in. */
  #turn(): void {
    const now = this.#current();
    if (now <= this.#step) return;
    this.#close();
    const passed = Math.min(STEPS, now - this.#step);
    for (let i = 1; i <= passed; i++) {
      const slot = (this.#step + i) % STEPS;
      this.#calls[slot] = 0;
      this.#busyMs[slot] = 0;
    }
    this.#silent += now - this.#step - 1;
    this.#step = now;
    if (this.#silent >= FORGET_STEPS) {
      this.#level = undefined;
      this.#trend = 0;
    }
  }

  #close(): void {
    if (this.#ended === 0) {
      this.#silent++;
      return;
    }
    const ratio = this.#failed / this.#ended;
    const weight = ALPHA * Math.min(1, this.#ended / FULL_WEIGHT_CALLS);
    this.#ended = 0;
    this.#failed = 0;
    this.#silent = 0;
    if (this.#level === undefined) {
      this.#level = ratio;
      return;
    }
    const before = this.#level;
    this.#level = clamp(weight * ratio + (1 - weight) * (before + this.#trend));
    this.#trend = BETA * (this.#level - before) + (1 - BETA) * this.#trend;
  }
}

function clamp(ratio: number): number {
  return Math.min(1, Math.max(0, ratio));
}
