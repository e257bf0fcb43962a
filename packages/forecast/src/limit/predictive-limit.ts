import type { Operation, Policy } from '@temper/core';
import { type Call, PolicyBase, type PolicyDescription } from '@temper/core/policy';
import type { LimitForecast } from './limit-forecast.ts';
import type { LimitMode } from './modes.ts';
import {
  type ChangeableLimiter,
  type LimiterCallOptions,
  type PredictiveLimitOptions,
  type ResolvedLimitOptions,
  resolveLimitOptions,
} from './options.ts';
import type { PredictiveLimitState } from './state.ts';
import { observeLimit, reportLimitMode } from './telemetry.ts';
import { UsualDemand } from './usual-demand.ts';

/** A limiter whose limit follows the demand that is usual at this time of the day or week. */
export interface PredictiveLimit<L extends ChangeableLimiter = ChangeableLimiter> extends Policy {
  tryAcquire(options?: LimiterCallOptions): ReturnType<L['tryAcquire']>;
  acquire(options?: LimiterCallOptions): ReturnType<L['acquire']>;
  take(options?: LimiterCallOptions): ReturnType<L['take']>;
  peek(): ReturnType<L['peek']>;
  /** The limit in force, and what it follows from. */
  forecast(): LimitForecast;
  /** What was learned, for the option `state` of a later run. JSON of it takes about 20 KB for a week. */
  dump(): PredictiveLimitState;
  stats(): ReturnType<L['stats']>;
}

class ForecastLimit extends PolicyBase implements PredictiveLimit {
  readonly #options: ResolvedLimitOptions;
  readonly #limiter: ChangeableLimiter;
  readonly #demand: UsualDemand;
  readonly #levels: Disposable;
  #limit: number;
  #mode: LimitMode;

  constructor(options: ResolvedLimitOptions) {
    super(options.name, options.clock);
    this.#options = options;
    this.#limiter = options.limiter;
    this.#demand = new UsualDemand(options);
    // A floor that this kind of limiter does not allow is refused now, and not by some call at night.
    this.#limiter.setLimit(options.floor);
    this.#limiter.setLimit(options.ceiling);
    this.#limit = options.ceiling;
    this.#mode = this.#demand.mode;
    this.#follow();
    this.#levels = observeLimit(this, options.telemetry);
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  tryAcquire(options?: LimiterCallOptions): unknown {
    this.#count(options?.cost);
    return this.#limiter.tryAcquire(options);
  }

  acquire(options?: LimiterCallOptions): Promise<unknown> {
    this.#count(options?.cost);
    return this.#limiter.acquire(options);
  }

  take(options?: LimiterCallOptions): unknown {
    this.#count(options?.cost);
    return this.#limiter.take(options);
  }

  peek(): ReturnType<ChangeableLimiter['peek']> {
    this.#look();
    return this.#limiter.peek();
  }

  runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    this.#count(call.cost);
    return this.#limiter.execute(operation, { parent: call });
  }

  forecast(): LimitForecast {
    this.#look();
    const { name, ceiling, floor } = this.#options;
    const { error } = this.#demand;
    const expected = this.#demand.expected();
    return {
      ...{ name, mode: this.#mode, limit: this.#limit, ceiling, floor },
      ...{ expected: expected?.units, upper: expected?.upper, error },
    };
  }

  dump(): PredictiveLimitState {
    this.#look();
    return this.#demand.dump();
  }

  stats(): object {
    return this.#limiter.stats();
  }

  [Symbol.dispose](): void {
    this.#levels[Symbol.dispose]();
    this.#limiter[Symbol.dispose]();
  }

  /** All that is asked for is demand, whether the limiter grants it or not. */
  #count(cost = 1): void {
    this.#look();
    // The limiter refuses what is no cost.
    if (cost > 0 && cost < Number.POSITIVE_INFINITY) this.#demand.add(cost);
  }

  #look(): void {
    const now = this.clock.monotonic();
    if (now < this.#demand.endsAt) return;
    this.#demand.turn(now);
    this.#follow();
  }

  #follow(): void {
    const { name, ceiling, floor, headroom } = this.#options;
    const { mode, error } = this.#demand;
    const expected = mode === 'predictive' ? this.#demand.expected() : undefined;
    const limit =
      expected === undefined
        ? ceiling
        : Math.min(ceiling, Math.max(floor, headroom * expected.upper));
    if (limit !== this.#limit) {
      this.#limit = limit;
      this.#limiter.setLimit(limit);
    }
    if (mode === this.#mode) return;
    const before = this.#mode;
    this.#mode = mode;
    reportLimitMode(name, before, mode, error, this.#options.telemetry);
  }
}

/**
 * Lets the limit of a limiter follow the demand that is usual at this time of the day or week, so that a
 * runaway client or an attack in a quiet hour gets little more than what is usual then, and the rest of the
 * capacity stays with those who share it:
 *
 * `limit = min(ceiling, max(floor, headroom × upper))`, where `upper` is two standard deviations above the
 * forecast for one window, and the ceiling is the limit that the limiter had before.
 *
 * The forecast is by Holt-Winters with multiplicative factors of a season and a damped trend (Hyndman and
 * Athanasopoulos, "Forecasting: principles and practice", chapter 8; Gardner and McKenzie, Management
 * Science 31, 1985), in a robust form (Gelper, Fried and Croux, Journal of Forecasting 29, 2010): it learns
 * from all that is asked for, refused calls included, and a day of any demand raises it by at most half.
 *
 * The plain limit, the ceiling, is in force during the first season and until twelve forecasts have been
 * checked; again after a step of the wall clock by more than half a slot, a silence of a whole season, or a
 * restart after more than a day; and while the mean relative error
 * is above `maxError`, until it has fallen to two thirds of it.
 *
 * ```ts
 * const search = predictiveLimit({
 *   limiter: tokenBucket({ name: 'search', limit: 6000, windowMs: 60_000, burst: 200 }),
 *   season: 'week',
 *   timeZone: 'Europe/Berlin',
 * });
 * const found = await search.execute(() => index.find(words));
 * ```
 *
 * No timer runs: the limit changes with the first call of a slot, or when it is read. Disposing of it
 * disposes of the limiter.
 *
 * @throws {TypeError | RangeError} when an option is missing, unknown, of the wrong type or out of range
 */
export function predictiveLimit<L extends ChangeableLimiter>(
  options: PredictiveLimitOptions<L>,
): PredictiveLimit<L> {
  return new ForecastLimit(resolveLimitOptions(options)) as unknown as PredictiveLimit<L>;
}
