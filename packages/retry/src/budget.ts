import { type Clock, systemClock } from '@temper/core';
import { clockRule, nameRule, numberRule, resolveOptions } from '@temper/core/policy';
import { observeBudget } from './budget-telemetry.ts';
import { EarnedRetries } from './earned-retries.ts';
import type { RetryBudget } from './options.ts';

/** Options of {@link retryBudget}. */
export interface RetryBudgetOptions {
  /** Names the budget on its metric. @defaultValue 'budget' */
  readonly name?: string;
  /**
   * Retries that each call earns that succeeds. It also gives back those that it took, unless they followed a
   * time-out.
   *
   * @defaultValue 0.2
   * @throws {RangeError} at construction, unless from 0 to 1000
   */
  readonly ratio?: number;
  /**
   * Retries that are there at first, and the most that are kept for longer than {@link windowMs}. Only successes
   * bring back what is spent.
   *
   * @defaultValue 50
   * @throws {RangeError} at construction, unless >= 0 and finite
   */
  readonly burst?: number;
  /**
   * How long what was earned beyond the burst is kept on average, in milliseconds.
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
  refund(cost: number): void;
  /** Retries that could be taken now. */
  available(): number;
  stats(): {
    /** Calls that succeeded. */
    readonly successes: number;
    /** Retries that were granted, without those that were then not made. */
    readonly retries: number;
    readonly available: number;
    readonly refused: number;
  };
}

class SharedBudget implements ObservableRetryBudget {
  readonly name: string;
  readonly #earned: EarnedRetries;
  readonly #observer: Disposable;
  #successes = 0;
  #retries = 0;
  #refused = 0;

  constructor(options: RetryBudgetOptions) {
    const all = resolveOptions<RetryBudgetOptions>(
      'retryBudget',
      options,
      { name: 'budget', ratio: 0.2, burst: 50, windowMs: 10_000, clock: systemClock },
      {
        name: nameRule,
        ratio: numberRule({ min: 0, max: 1000 }),
        burst: numberRule({ min: 0, infinite: false }),
        windowMs: numberRule({ min: 10, infinite: false }),
        clock: clockRule,
      },
    );
    this.name = all.name;
    this.#earned = new EarnedRetries(all);
    this.#observer = observeBudget(this);
  }

  deposit(returned = 0): void {
    this.#successes++;
    this.#earned.deposit(unitsOf(returned));
  }

  withdraw(cost = 1): boolean {
    const granted = this.#earned.withdraw(unitsOf(cost));
    if (granted) this.#retries++;
    else this.#refused++;
    return granted;
  }

  refund(cost = 1): void {
    if (this.#retries === 0) return;
    this.#retries--;
    this.#earned.refund(unitsOf(cost));
  }

  available(): number {
    return this.#earned.available();
  }

  stats(): ReturnType<ObservableRetryBudget['stats']> {
    return {
      successes: this.#successes,
      retries: this.#retries,
      available: this.available(),
      refused: this.#refused,
    };
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
  }
}

/** What others hand in: `NaN`, or what becomes it, would make the budget endless. */
const unitsOf = (retries: number): number => (retries > 0 ? Number(retries) : 0);

/**
 * Creates a budget that bounds retries to a share of the calls that succeed: a fifth of them by default, and fifty
 * beyond that. A retry after a time-out costs two; any other is given back when its call succeeds. While nothing
 * succeeds, there are no further ones, so that retries cannot keep a dependency overloaded. Give the same one to
 * every policy that adds load on the same dependency.
 *
 * Sources: the retry quota of the AWS SDKs, and the throttling of retries in gRPC (proposal A6).
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function retryBudget(options: RetryBudgetOptions = {}): ObservableRetryBudget {
  return new SharedBudget(options);
}
