import type { Clock } from '@temper/core';
import {
  checkNumber,
  type NumberRange,
  numberRule,
  type OptionRule,
  resolveOptions,
} from '@temper/core/policy';
import { LatencyWindow } from './window.ts';

/**
 * A duration that follows the observed latencies: a quantile of the recent ones times a factor, within
 * bounds. A call that was cut off only tells that it would have taken longer. While more calls are cut
 * off than the quantile allows, the duration grows by half at a time, up to `maxMs`. After so many in a
 * row that chance does not explain them (three at a quantile of 0.95), it grows at once, and what was
 * observed before no longer counts.
 */
export interface ObservedDurationOptions {
  /**
   * Share of the recent calls that the duration should cover, from 0 to 1.
   *
   * @throws {RangeError} at construction, unless > 0 and <= 1
   */
  readonly quantile: number;
  /**
   * Factor that the quantile is multiplied by.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly factor?: number;
  /**
   * Shortest duration, in milliseconds.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly minMs?: number;
  /**
   * Longest duration, in milliseconds.
   *
   * @throws {RangeError} at construction, unless finite and >= `minMs`
   */
  readonly maxMs: number;
  /**
   * Duration until `minSamples` calls have been observed, in milliseconds.
   *
   * @defaultValue `maxMs`
   * @throws {RangeError} at construction, unless from `minMs` to `maxMs`
   */
  readonly initialMs?: number;
  /**
   * Observations that are needed before the quantile is used. Of fewer than `1 / (1 - quantile)`, the quantile
   * is their maximum.
   *
   * @defaultValue `1 / (1 - quantile)`, from 20 to 1000
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly minSamples?: number;
  /**
   * How long an observation counts, in milliseconds.
   *
   * @defaultValue 60_000
   * @throws {RangeError} at construction, unless finite and >= 100
   */
  readonly windowMs?: number;
}

/** Bounds of the default of `minSamples`. */
const FEWEST_SAMPLES = 20;
const MOST_SAMPLES = 1000;

/** How much the duration grows at a time while too many calls are cut off. */
const RISE = 1.5;

/** A run of calls that were cut off is taken for a change when it is less likely than this. */
const SIGNIFICANCE = 0.001;
/** And when it has at least so many: two calls that are in flight together often share their fate. */
const SHORTEST_RUN = 3;

/** Computes the present duration. It takes few distinct values, so that equal ones can share a timer. */
export class ObservedDuration {
  readonly #options: Required<ObservedDurationOptions>;
  readonly #window: LatencyWindow;
  /** Calls cut off in a row that chance does not explain. */
  readonly #longRun: number;
  #value: number;
  #version = 0;
  /** Calls cut off since one ended in time. */
  #run = 0;
  /** The duration until there are enough observations again, after a change. */
  #risen: number | undefined;

  /**
   * @param owner - the policy and option, for messages
   * @throws {TypeError | RangeError} when an option is unknown or out of range
   */
  constructor(owner: string, options: ObservedDurationOptions, clock: Clock) {
    this.#options = resolveObservedDuration(owner, options);
    this.#window = new LatencyWindow(clock, this.#options.windowMs);
    this.#value = this.#options.initialMs;
    this.#longRun = Math.max(
      SHORTEST_RUN,
      Math.ceil(Math.log(SIGNIFICANCE) / Math.log1p(-this.#options.quantile)),
    );
  }

  /** The longest duration that there can be, in milliseconds. */
  get maxMs(): number {
    return this.#options.maxMs;
  }

  /** @param ms - what a call took, in milliseconds */
  record(ms: number): void {
    this.#run = 0;
    this.#window.record(ms);
  }

  /**
   * Counts a call that was cut off.
   *
   * @param afterMs - how long it had been waited for, in milliseconds
   */
  recordCutOff(afterMs: number): void {
    // A call that began while the duration was shorter does not tell whether it is long enough now.
    if (afterMs < this.#value) return;
    this.#run++;
    if (this.#run >= this.#longRun) this.#rise();
    this.#window.recordCutOff();
  }

  /** The share of the observations that are calls which were cut off, from 0 to 1. */
  get cutOffShare(): number {
    return this.#window.cutOffShare;
  }

  #rise(): void {
    this.#window.clear();
    this.#risen = Math.min(this.#options.maxMs, this.#value * RISE);
    this.#value = this.#risen;
    this.#version = this.#window.version;
  }

  /** The present duration, in milliseconds. Recomputed when a thirtieth of the observations is new. */
  current(): number {
    const { version, count } = this.#window;
    if (version !== this.#version && version - this.#version >= count / 32) {
      this.#version = version;
      this.#value = this.#compute(count);
    }
    return this.#value;
  }

  #compute(count: number): number {
    const { minSamples, quantile, factor, initialMs, minMs, maxMs } = this.#options;
    const observed = count < minSamples ? undefined : this.#window.quantile(quantile);
    if (observed === undefined) return this.#risen ?? initialMs;
    this.#risen = undefined;
    const wanted = observed === Number.POSITIVE_INFINITY ? this.#value * RISE : observed * factor;
    return Math.min(maxMs, Math.max(minMs, wanted));
  }
}

/** A number in this range, or the options of an {@link ObservedDuration}. */
export function durationRule(range: NumberRange): OptionRule {
  return (owner, option, value) => {
    if (typeof value === 'object' && value !== null) {
      resolveObservedDuration(`${owner}: ${option}`, value as ObservedDurationOptions);
    } else {
      checkNumber(owner, option, value, range);
    }
  };
}

function resolveObservedDuration(
  owner: string,
  options: ObservedDurationOptions,
): Required<ObservedDurationOptions> {
  const positive = numberRule({ min: 0, aboveMin: true, infinite: false });
  const given = resolveOptions<ObservedDurationOptions, keyof ObservedDurationOptions>(
    owner,
    options,
    {},
    {
      quantile: numberRule({ min: 0, aboveMin: true, max: 1 }),
      factor: positive,
      minMs: positive,
      maxMs: positive,
      initialMs: positive,
      minSamples: numberRule({ min: 1, integer: true, infinite: false }),
      windowMs: numberRule({ min: 100, infinite: false }),
    },
  );
  const { factor = 1, minMs = 1, windowMs = 60_000 } = given;
  const quantile = checkNumber(owner, 'quantile', given.quantile, { min: 0 });
  const beyondQuantile = Math.round(1 / (1 - quantile));
  const minSamples =
    given.minSamples ?? Math.min(MOST_SAMPLES, Math.max(FEWEST_SAMPLES, beyondQuantile));
  const maxMs = checkNumber(owner, 'maxMs', given.maxMs, { infinite: false, min: minMs });
  const initialMs = checkNumber(owner, 'initialMs', given.initialMs ?? maxMs, {
    min: minMs,
    max: maxMs,
  });
  return { quantile, factor, minMs, maxMs, initialMs, minSamples, windowMs };
}
