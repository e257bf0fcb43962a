import type { LimitState } from '../limiter.ts';
import type { LimiterObserver } from '../observer.ts';
import { type Forecast, forecastOf, type Queued } from '../rules/forecast.ts';
import type { Rule } from '../rules/rule.ts';
import type { Gate } from '../wait/gate.ts';
import type { ResolvedQueueOptions } from '../wait/options.ts';
import { QueuedTurns } from '../wait/queued-turns.ts';
import type { Turns } from '../wait/turns.ts';
import type { UsualLatency } from '../wait/usual-latency.ts';

/** The keys' states, by slot. */
interface Slots {
  readonly name: string;
  ruleOf(slot: number): Rule;
  tryTake(slot: number, cost: number, now?: number): boolean;
  delay(slot: number, cost: number): number;
  peekAt(slot: number): LimitState;
  forecast(
    forecast: Forecast,
    slot: number,
    queue: Queued,
    cost: number,
    deadline: number,
    now: number,
  ): number;
}

/** One key while calls wait for it. */
export class KeyGate implements Gate {
  readonly turns: Turns;
  readonly #slots: Slots;
  readonly #slot: number;
  #forecast: Forecast;

  constructor(
    slots: Slots,
    slot: number,
    options: ResolvedQueueOptions,
    observer: LimiterObserver,
    usual: UsualLatency,
  ) {
    this.#slots = slots;
    this.#slot = slot;
    this.#forecast = forecastOf(slots.ruleOf(slot));
    this.turns = new QueuedTurns(this, options, observer, {
      usual,
      foresee: () => (queue, cost, deadline, now) => this.#readyAt(queue, cost, deadline, now),
    });
  }

  get name(): string {
    return this.#slots.name;
  }

  get capacity(): number {
    return this.#slots.ruleOf(this.#slot).capacity;
  }

  tryTake(cost: number, now?: number): boolean {
    return this.#slots.tryTake(this.#slot, cost, now);
  }

  delay(cost: number): number {
    return this.#slots.delay(this.#slot, cost);
  }

  peek(): LimitState {
    return this.#slots.peekAt(this.#slot);
  }

  #readyAt(queue: Queued, cost: number, deadline: number, now: number): number {
    const rule = this.#slots.ruleOf(this.#slot);
    if (this.#forecast.rule !== rule) this.#forecast = forecastOf(rule);
    return this.#slots.forecast(this.#forecast, this.#slot, queue, cost, deadline, now);
  }
}
