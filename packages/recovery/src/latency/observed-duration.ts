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
 * off than the quantile allows, the duration grows by half at a time, up to `maxMs`.
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
   * Observations that are needed before the quantile is used.
   *
   * @defaultValue 20
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

/** How much the duration grows at a time while too many calls are cut off. */
const RISE = 1.5;

/** Computes the present duration. It takes few distinct values, so that equal ones can share a timer. */
export class ObservedDuration {
  readonly #options: Required<ObservedDurationOptions>;
  readonly #window: LatencyWindow;
  #value: number;
  #version = 0;

  /**
   * @param owner - the policy and option, for messages
   * @throws {TypeError | RangeError} when an option is unknown or out of range
   */
  constructor(owner: string, options: ObservedDurationOptions, clock: Clock) {
    this.#options = resolveObservedDuration(owner, options);
    this.#window = new LatencyWindow(clock, this.#options.windowMs);
    this.#value = this.#options.initialMs;
  }

  /** @param ms - what a call took, in milliseconds */
  record(ms: number): void {
    this.#window.record(ms);
  }

  /** Counts a call that was cut off after the present duration or later. */
  recordCutOff(): void {
    this.#window.recordCutOff();
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
    if (observed === undefined) return initialMs;
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
  const { factor = 1, minMs = 1, minSamples = 20, windowMs = 60_000 } = given;
  const quantile = checkNumber(owner, 'quantile', given.quantile, { min: 0 });
  const maxMs = checkNumber(owner, 'maxMs', given.maxMs, { infinite: false, min: minMs });
  const initialMs = checkNumber(owner, 'initialMs', given.initialMs ?? maxMs, {
    min: minMs,
    max: maxMs,
  });
  return { quantile, factor, minMs, maxMs, initialMs, minSamples, windowMs };
}
