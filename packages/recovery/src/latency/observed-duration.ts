import { type Clock, checkKnown, checkNumber } from '@temper/core';
import { LatencyWindow } from './window.ts';

/**
 * A duration that follows what was observed: a quantile of recent latencies times a factor, within
 * bounds. Until there are enough observations it is `initialMs`.
 */
export interface ObservedDurationOptions {
  /**
   * Share of the recent calls that the duration is to cover.
   *
   * @throws {RangeError} at construction, unless > 0 and <= 1
   */
  readonly quantile: number;
  /**
   * What the quantile is multiplied by.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly factor?: number;
  /**
   * Never shorter than this, in milliseconds.
   *
   * @defaultValue 1
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly minMs?: number;
  /**
   * Never longer than this, in milliseconds.
   *
   * @throws {RangeError} at construction, unless finite and >= `minMs`
   */
  readonly maxMs: number;
  /**
   * Used until `minSamples` calls have been observed, in milliseconds.
   *
   * @defaultValue `maxMs`
   * @throws {RangeError} at construction, unless from `minMs` to `maxMs`
   */
  readonly initialMs?: number;
  /**
   * Observations needed before the quantile is believed.
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

const KNOWN = ['quantile', 'factor', 'minMs', 'maxMs', 'initialMs', 'minSamples', 'windowMs'];

/** Says the duration of now. Takes few distinct values, so that equal ones can share a timer. */
export class ObservedDuration {
  readonly window: LatencyWindow;
  readonly #quantile: number;
  readonly #factor: number;
  readonly #minMs: number;
  readonly #maxMs: number;
  readonly #initialMs: number;
  readonly #minSamples: number;
  #value: number;
  #version = 0;

  /**
   * @param owner - the policy and option, for messages
   * @throws {TypeError | RangeError} naming owner, option, range and value
   */
  constructor(owner: string, options: ObservedDurationOptions, clock: Clock) {
    checkKnown(owner, options, KNOWN);
    const finite = { infinite: false } as const;
    this.#quantile = checkNumber(owner, 'quantile', options.quantile, {
      min: 0,
      aboveMin: true,
      max: 1,
    });
    const positive = { ...finite, min: 0, aboveMin: true };
    this.#factor = checkNumber(owner, 'factor', options.factor ?? 1, positive);
    this.#minMs = checkNumber(owner, 'minMs', options.minMs ?? 1, positive);
    this.#maxMs = checkNumber(owner, 'maxMs', options.maxMs, { ...finite, min: this.#minMs });
    this.#initialMs = checkNumber(owner, 'initialMs', options.initialMs ?? this.#maxMs, {
      min: this.#minMs,
      max: this.#maxMs,
    });
    const samples = { ...finite, min: 1, integer: true };
    this.#minSamples = checkNumber(owner, 'minSamples', options.minSamples ?? 20, samples);
    const windowMs = checkNumber(owner, 'windowMs', options.windowMs ?? 60_000, {
      ...finite,
      min: 100,
    });
    this.window = new LatencyWindow(clock, windowMs);
    this.#value = this.#initialMs;
  }

  /** A call took `ms` milliseconds, or at least so long. */
  record(ms: number): void {
    this.window.record(ms);
  }

  /** The duration of now, in milliseconds. Looked up anew when a thirtieth of it may have changed. */
  current(): number {
    const { version, count } = this.window;
    if (version !== this.#version && version - this.#version >= count / 32) {
      this.#version = version;
      this.#value = this.#compute(count);
    }
    return this.#value;
  }

  #compute(count: number): number {
    const observed = count < this.#minSamples ? undefined : this.window.quantile(this.#quantile);
    if (observed === undefined) return this.#initialMs;
    return Math.min(this.#maxMs, Math.max(this.#minMs, observed * this.#factor));
  }
}
