import type { Clock } from '@temper/core';
import { TOLERANCE } from '../rules/rule.ts';
import { capacityOf, sameRule } from './rule-state.ts';
import type { StoreRule } from './store.ts';
import { type TimerEntry, TimerHeap } from './timer-heap.ts';

/** Units of a key that this process took from the store before it needs them. */
interface Budget {
  readonly rule: StoreRule;
  readonly receipt: string;
  units: number;
  timer: TimerEntry | undefined;
}

/** What is known of a key that is used up. */
interface Refusal {
  readonly rule: StoreRule;
  readonly until: number;
  /** The smallest cost that was refused. */
  readonly cost: number;
}

/** What {@link LocalBudgets} are created with. */
export interface BudgetOptions {
  readonly clock: Clock;
  /** How long units are kept, in milliseconds. */
  readonly budgetMs: number;
  /** How many processes share the limit at present. */
  readonly nodes: () => number;
  /** Gives units back that were not used. */
  readonly giveBack: (key: string, rule: StoreRule, cost: number, receipt: string) => void;
}

/** Most keys whose refusals are remembered. */
const MAX_REFUSALS = 10_000;

/**
 * Small, expiring shares of a limit that this process holds, so that most calls are decided without the
 * store. A share is at most half of this process's part of the limit. What is not used within `budgetMs`
 * is given back; that of a process that dies comes back as the rule recovers. A key that is used up is
 * refused without a request until units can be there again.
 */
export class LocalBudgets {
  readonly #options: BudgetOptions;
  readonly #timers: TimerHeap;
  readonly #budgets = new Map<string, Budget>();
  readonly #refusals = new Map<string, Refusal>();

  constructor(options: BudgetOptions) {
    this.#options = options;
    this.#timers = new TimerHeap(options.clock, true);
  }

  /** How many units to ask for beyond those that are needed now; 0 when it is not worth it. */
  ahead(rule: StoreRule): number {
    return Math.floor(capacityOf(rule) / (2 * this.#options.nodes()));
  }

  /** Takes units of the budget. @returns whether there were enough, under the same rule */
  take(key: string, rule: StoreRule, cost: number): boolean {
    const budget = this.#budgets.get(key);
    if (budget === undefined || !sameRule(budget.rule, rule) || budget.units + TOLERANCE < cost) {
      return false;
    }
    budget.units -= cost;
    return true;
  }

  /** Puts units back that were taken of the budget and not used. Without a budget, they are lost. */
  putBack(key: string, rule: StoreRule, cost: number): void {
    const budget = this.#budgets.get(key);
    if (budget !== undefined && sameRule(budget.rule, rule)) budget.units += cost;
  }

  /** Units that are left of the budget. */
  left(key: string): number {
    return this.#budgets.get(key)?.units ?? 0;
  }

  /** Keeps units that the store has granted. What was left before is given back. */
  keep(key: string, rule: StoreRule, units: number, receipt: string): void {
    this.forget(key);
    const { clock, budgetMs } = this.#options;
    const budget: Budget = { rule, receipt, units, timer: undefined };
    budget.timer = this.#timers.add(clock.monotonic() + budgetMs, () => {
      budget.timer = undefined;
      this.#giveUp(key, budget);
    });
    this.#budgets.set(key, budget);
  }

  /** Remembers that the store refused a cost. */
  refused(key: string, rule: StoreRule, cost: number, retryAfterMs: number): void {
    const { clock, budgetMs } = this.#options;
    const now = clock.monotonic();
    // Another process may give units back, or change the key.
    const until = now + Math.min(retryAfterMs, budgetMs);
    if (this.#refusals.size >= MAX_REFUSALS) this.#refusals.clear();
    this.#refusals.set(key, { rule, until, cost });
  }

  /** Milliseconds for which a cost is refused without a request; 0 when the store must be asked. */
  refusedFor(key: string, rule: StoreRule, cost: number): number {
    const refusal = this.#refusals.get(key);
    // Under another rule there may be more.
    if (refusal === undefined || !sameRule(refusal.rule, rule)) return 0;
    const leftMs = refusal.until - this.#options.clock.monotonic();
    if (leftMs <= 0) this.#refusals.delete(key);
    return leftMs > 0 && cost >= refusal.cost ? leftMs : 0;
  }

  /** Gives the budget of a key back, unless the store has forgotten it, and forgets its refusal. */
  forget(key: string, giveBack = true): void {
    this.#refusals.delete(key);
    const budget = this.#budgets.get(key);
    if (budget === undefined) return;
    if (!giveBack) budget.units = 0;
    this.#giveUp(key, budget);
  }

  #giveUp(key: string, budget: Budget): void {
    if (budget.timer !== undefined) this.#timers.clear(budget.timer);
    this.#budgets.delete(key);
    const { rule, units, receipt } = budget;
    if (units > TOLERANCE) this.#options.giveBack(key, rule, units, receipt);
  }
}
