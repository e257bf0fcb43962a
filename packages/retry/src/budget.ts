import { type Clock, systemClock } from '@temper/core';
import { clockRule, nameRule, numberRule, resolveOptions } from '@temper/core/policy';
import { observeBudget } from './budget-telemetry.ts';
import type { RetryBudget } from './options.ts';

/** Options of {@link retryBudget}. */
export interface RetryBudgetOptions {
  /** Names the budget on its metric. @defaultValue 'budget' */
  readonly name?: string;
  /**
   * Retries that each call adds to the budget.
   *
   * @defaultValue 0.2
   * @throws {RangeError} at construction, unless from 0 to 1000
   */
  readonly ratio?: number;
  /**
   * Retries per second that are always allowed, so that a quiet service can retry at all.
   *
   * @defaultValue 10
   * @throws {RangeError} at construction, unless >= 0 and finite
   */
  readonly minPerSecond?: number;
  /**
   * How long a call's share stays valid, in milliseconds.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless finite and >= 10
   */
  readonly windowMs?: number;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

/** A {@link RetryBudget} with a name and statistics. */
export interface ObservableRetryBudget extends RetryBudget, Disposable {
  readonly name: string;
  /** Retries that could be taken now. */
  available(): number;
  stats(): {
    readonly calls: number;
    readonly retries: number;
    readonly available: number;
    readonly refused: number;
  };
}

/** The window is counted in this many slices; a share expires with its slice. */
const SLICES = 10;

class WindowedBudget implements ObservableRetryBudget {
  readonly name: string;
  readonly #ratio: number;
  readonly #floor: number;
  readonly #sliceMs: number;
  readonly #clock: Clock;
  readonly #calls = new Float64Array(SLICES);
  readonly #retries = new Float64Array(SLICES);
  readonly #observer: Disposable;
  #slice: number;
  #callsTotal = 0;
  #retriesTotal = 0;
  #refused = 0;

  constructor(options: RetryBudgetOptions) {
    const all = resolveOptions<RetryBudgetOptions>(
      'retryBudget',
      options,
      { name: 'budget', ratio: 0.2, minPerSecond: 10, windowMs: 10_000, clock: systemClock },
      {
        name: nameRule,
        ratio: numberRule({ min: 0, max: 1000 }),
        minPerSecond: numberRule({ min: 0, infinite: false }),
        windowMs: numberRule({ min: 10, infinite: false }),
        clock: clockRule,
      },
    );
    const { minPerSecond, windowMs } = all;
    this.name = all.name;
    this.#ratio = all.ratio;
    this.#floor = (minPerSecond * windowMs) / 1000;
    this.#sliceMs = windowMs / SLICES;
    this.#clock = all.clock;
    this.#slice = this.#currentSlice();
    this.#observer = observeBudget(this);
  }

  deposit(): void {
    const index = this.#turn();
    this.#calls[index] = (this.#calls[index] as number) + 1;
    this.#callsTotal++;
  }

  withdraw(): boolean {
    const index = this.#turn();
    if (this.#balance() < 1) {
      this.#refused++;
      return false;
    }
    this.#retries[index] = (this.#retries[index] as number) + 1;
    this.#retriesTotal++;
    return true;
  }

  available(): number {
    this.#turn();
    return Math.max(0, Math.floor(this.#balance()));
  }

  stats(): ReturnType<ObservableRetryBudget['stats']> {
    return {
      calls: this.#callsTotal,
      retries: this.#retriesTotal,
      available: this.available(),
      refused: this.#refused,
    };
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
  }

  #balance(): number {
    let calls = 0;
    let retries = 0;
    for (let i = 0; i < SLICES; i++) {
      calls += this.#calls[i] as number;
      retries += this.#retries[i] as number;
    }
    // The epsilon keeps five shares of 0.2 from falling short of one.
    return this.#floor + this.#ratio * calls - retries + 1e-9;
  }

  #currentSlice(): number {
    return Math.floor(this.#clock.monotonic() / this.#sliceMs);
  }

  /** Clears the slices that have expired, and returns the index of the current one. */
  #turn(): number {
    const now = this.#currentSlice();
    const expired = Math.min(SLICES, now - this.#slice);
    for (let i = 1; i <= expired; i++) {
      const index = (this.#slice + i) % SLICES;
      this.#calls[index] = 0;
      this.#retries[index] = 0;
    }
    if (now > this.#slice) this.#slice = now;
    return this.#slice % SLICES;
  }
}

/**
 * Creates a budget that bounds retries to a share of the calls plus a floor, over a sliding window: by
 * default 20 % and ten per second. Give the same one to every policy that adds load on the same
 * dependency.
 *
 * Source: Finagle's `RetryBudget`.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function retryBudget(options: RetryBudgetOptions = {}): ObservableRetryBudget {
  return new WindowedBudget(options);
}
