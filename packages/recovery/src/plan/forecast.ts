import type { Clock } from '@temper/core';

/** The failure ratio of an operation, its trend, and the demand. */
export interface Forecast {
  /** Present share of failed calls, smoothed, from 0 to 1. */
  readonly failureRatio: number;
  /** How that share changes per minute. */
  readonly trendPerMinute: number;
  /** Expected share of failed calls in a minute if the trend continues, from 0 to 1. */
  readonly inOneMinute: number;
  /**
   * Milliseconds until the expected share reaches `threshold`: 0 when it has, `undefined` when the
   * trend does not reach it within ten minutes.
   */
  readonly reachesThresholdInMs: number | undefined;
  /** The share that the forecast was made for. */
  readonly threshold: number;
  /** Mean number of calls in flight: arrivals per second times mean duration in seconds. */
  readonly demand: number;
  /** Calls in the last minute. With few of them the other figures mean little. */
  readonly calls: number;
}

/** Length of a step: long enough for several calls, short enough to show a trend within a minute. */
const STEP_MS = 5000;
/** Steps over which calls and demand are summed: one minute. */
const STEPS = 12;
/** Weight of the newest step in the level, if it had enough calls. */
const ALPHA = 0.4;
/** Weight of the newest change in the trend. */
const BETA = 0.2;
/** A step with fewer calls has less weight: two failures in two calls are no outage. */
const FULL_WEIGHT_CALLS = 10;
const STEPS_PER_MINUTE = 60_000 / STEP_MS;
/** After this many steps without a call, level and trend are dropped. */
const FORGET_STEPS = 60;
/** A trend is not extended further than this. */
const HORIZON_MS = 600_000;

/**
 * The failure ratio of one operation in steps of five seconds, and its trend, in constant memory and
 * without a timer. It is a linear extrapolation of noisy data, for alerts and autoscalers; no policy
 * acts on it.
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

  /** Records a call that has ended. */
  record(failed: boolean, elapsedMs: number): void {
    this.#turn();
    const slot = this.#step % STEPS;
    this.#calls[slot] = (this.#calls[slot] as number) + 1;
    this.#busyMs[slot] = (this.#busyMs[slot] as number) + elapsedMs;
    this.#ended++;
    if (failed) this.#failed++;
  }

  /** @param threshold - a failure ratio, from 0 to 1 */
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

  /** Closes the step that has ended, and adds empty ones for the time without calls. */
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
