import { TOLERANCE } from '../rules/rule.ts';
import { FairShares, type FairTerms } from './fair-shares.ts';
import { capacityOf, derive, isLarger, type RuleState, sameRule } from './rule-state.ts';
import {
  type RateChange,
  RESERVATION_MS,
  type StoreRule,
  type TakeAnswer,
  type TakeCall,
  type TakeResult,
} from './store.ts';

/** What a time is rounded up by, in milliseconds, so that it is over when it has been waited for. */
const SAME_MS = 0.001;

/** Most rules that are kept for one key. The one asked for longest ago is dropped for another. */
const MAX_RULES = 8;

/** Calls of one caller that wait. */
interface Queue {
  readonly weight: number;
  readonly terms: FairTerms;
  readonly askMs: number;
  cost: number;
}

/** What was noted of a key before a request. */
interface Noted {
  readonly rules: RuleState[];
  /** When its rule was last asked for; `undefined` for a new one. */
  readonly askedAt: number | undefined;
  readonly isSetBack: boolean;
}

/** Where nobody is held back for others. */
const NO_TERMS: FairTerms = { held: 0, aheadMs: RESERVATION_MS };

/** The state of one key: a state for each rule in use, and whether it is blocked. */
export class KeyState {
  #rules: RuleState[] = [];
  #blockedMs = 0;
  #fair: FairShares | undefined;
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  /**
   * Takes units for calls, as of `RateLimitStore.take`.
   *
   * @param dry - takes nothing, ahead of time neither: the answer is how long a call would have to wait, 0 if it
   * would not
   */
  take(rule: StoreRule, calls: readonly TakeCall[], now: number, dry = false): TakeResult {
    const isSetBack = now < this.#at;
    this.#sync(now);
    const known = this.#rules.find((each) => sameRule(each.rule, rule));
    const before = { rules: this.#rules, askedAt: known?.askedAt, isSetBack };
    const state = this.#ask(rule, now);
    const larger = this.#rules.filter((each) => binds(each, state, now));
    const capacity = capacityOf(rule);
    const waitFor = (cost: number): number =>
      larger.reduce((ms, each) => Math.max(ms, heldBack(each, state, cost, now)), state.wait(cost));
    const scheduled = 'burst' in rule;
    const free = (): number => Math.max(0, capacity - state.used);
    const fair = this.#fairFor(rule, calls, now);
    /** By caller, the calls that can wait, but cannot be served yet. */
    const queues = new Map<string, Queue>();
    let taken = false;
    const answers = calls.map(({ cost, maxWaitMs, caller = '', weight = 1 }): TakeAnswer => {
      const queue = queues.get(caller);
      const terms = queue?.terms ?? fair?.termsFor(caller, weight, free()) ?? NO_TERMS;
      const { held, aheadMs } = terms;
      const ahead = cost + (queue?.cost ?? 0);
      // A window says when it moves on, and not how often it has to.
      const most = scheduled ? Number.POSITIVE_INFINITY : capacity;
      const waitMs = Math.max(waitFor(Math.min(ahead, most)), this.#blockedMs);
      const roomMs = held === 0 ? waitMs : waitFor(Math.min(ahead + held, most));
      // A place can only be taken ahead where there are places.
      const places = larger.every(
        (each) => 'burst' in each.rule || heldBack(each, state, ahead, now) === 0,
      );
      const mayWaitMs = scheduled && !dry ? Math.min(maxWaitMs, aheadMs) : 0;
      const fits = queue === undefined && this.#blockedMs === 0 && places && roomMs <= mayWaitMs;
      if (fits && dry) return { taken: false, retryAfterMs: 0 };
      if (fits) {
        for (const other of this.#rules) {
          if (other === state) continue;
          if (larger.includes(other) && cost <= capacityOf(other.rule)) other.charge(cost);
          else other.chargeForeign(cost);
        }
        fair?.took(caller, weight, cost);
        taken = true;
        return { taken: true, waitMs, receipt: state.charge(cost) };
      }
      const askMs = fair?.askAgainMs(waitMs, aheadMs) ?? waitMs;
      if (waitMs <= maxWaitMs + SAME_MS) {
        if (queue === undefined) queues.set(caller, { weight, terms, askMs, cost });
        else queue.cost += cost;
      }
      if (fair === undefined) return { taken: false, retryAfterMs: waitMs };
      return { taken: false, retryAfterMs: waitMs === 0 ? askMs : waitMs, askAgainMs: askMs };
    });
    for (const [caller, { weight, cost, askMs }] of queues)
      fair?.waits(caller, weight, cost, askMs);
    this.#note(state, before, taken, now);
    const all = [state, ...larger];
    const room = Math.min(...all.map((each) => capacityOf(each.rule) - each.used));
    const left = Math.max(0, Math.floor(room + TOLERANCE));
    const busy = all.some(({ busyMs }) => busyMs > 0);
    const growthMs = busy ? waitFor(Math.min(capacity, left + 1)) : 0;
    const blocked = this.#blockedMs > 0;
    return {
      answers,
      remaining: blocked ? 0 : left,
      resetMs: blocked ? this.#blockedMs : growthMs,
    };
  }

  /**
   * What a request would write in a store where it costs something: that a rule is in use is noted now and then, where
   * there are others, though nothing is taken. What is not written is as it was before.
   */
  #note(state: RuleState, before: Noted, taken: boolean, now: number): void {
    const { rules, askedAt, isSetBack } = before;
    const shortestMs = Math.min(...this.#rules.map(({ recoveryMs }) => recoveryMs));
    const isUntold =
      askedAt === undefined
        ? state.used > 0
        : this.#rules.length > 1 && now - askedAt > shortestMs / 8;
    if (taken || isSetBack || isUntold) return;
    this.#rules = rules;
    if (askedAt !== undefined) state.askedAt = askedAt;
  }

  /** What callers have had, where calls name them. */
  #fairFor(rule: StoreRule, calls: readonly TakeCall[], now: number): FairShares | undefined {
    if (calls[0]?.caller === undefined) return undefined;
    this.#fair ??= new FairShares(now);
    this.#fair.sync(rule, now);
    return this.#fair;
  }

  giveBack(rule: StoreRule, receipt: string, cost: number, now: number): void {
    this.#sync(now);
    this.#rules.find((state) => sameRule(state.rule, rule))?.giveBack(receipt, cost);
  }

  change(rule: StoreRule, change: RateChange, now: number): void {
    if (change.kind === 'reset') {
      this.#rules = [];
      this.#blockedMs = 0;
      this.#fair = undefined;
      return;
    }
    this.#sync(now);
    // Of a key that is not kept, nothing can be given back.
    if (change.kind === 'charge' && change.units < 0 && this.#rules.length === 0) return;
    this.#ask(rule, now);
    if (change.kind === 'block') {
      this.#blockedMs = change.durationMs;
      return;
    }
    const { units } = change;
    for (const state of this.#rules) {
      if (units < 0) state.credit(-units);
      else state.chargeForeign(Math.min(units, Math.max(0, capacityOf(state.rule) - state.used)));
    }
  }

  /** Whether nothing would change if the key were removed. */
  idle(now: number): boolean {
    this.#sync(now);
    return this.#blockedMs === 0 && this.#rules.length === 0;
  }

  #sync(now: number): void {
    this.#blockedMs = Math.max(0, this.#blockedMs - Math.max(0, now - this.#at));
    this.#at = now;
    for (const state of this.#rules) {
      state.sync(now);
      state.askedAt = Math.min(state.askedAt, now);
    }
    // As in a store that keeps nothing of a key of which nothing is used: no rule binds another then.
    if (this.#rules.every(({ busyMs }) => busyMs === 0)) this.#rules = [];
  }

  /** The state of a rule, derived from the others when it is new; call `#sync` before. Rules no longer in use are dropped. */
  #ask(rule: StoreRule, now: number): RuleState {
    let state = this.#rules.find((each) => sameRule(each.rule, rule));
    state ??= derive(rule, this.#rules, now);
    const others = this.#rules
      .filter((each) => each !== state && now - each.askedAt <= each.recoveryMs)
      .sort((a, b) => b.askedAt - a.askedAt || (isLarger(a.rule, b.rule) ? -1 : 1));
    state.askedAt = now;
    this.#rules = [state, ...others.slice(0, MAX_RULES - 1)];
    return state;
  }
}

/** For how long after its last use a rule binds calls of another: as long as that one can mean. */
function bindsFor(rule: RuleState, asked: RuleState, now: number): number {
  return asked.recoveryMs - (now - rule.askedAt) + SAME_MS;
}

/**
 * Whether calls of a rule have to fit another as well: one that is in use and larger, by rate, then by what
 * it grants at once. Each rule alone would grant again what calls of the other have used up in another
 * window of time, and two rules would let through the sum of both.
 */
function binds(rule: RuleState, asked: RuleState, now: number): boolean {
  return rule !== asked && bindsFor(rule, asked, now) > 0 && isLarger(rule.rule, asked.rule);
}

/** Milliseconds until a larger rule has room for a call of another, or binds it no more. */
function heldBack(rule: RuleState, asked: RuleState, cost: number, now: number): number {
  const waitMs = rule.wait(Math.min(cost, capacityOf(rule.rule)));
  return Math.min(waitMs, bindsFor(rule, asked, now));
}
