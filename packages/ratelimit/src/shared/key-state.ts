import { TOLERANCE } from '../rules/rule.ts';
import { capacityOf, derive, type RuleState, sameRule } from './rule-state.ts';
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

/** The state of one key: a state for each rule in use, and whether it is blocked. */
export class KeyState {
  #rules: RuleState[] = [];
  #blockedMs = 0;
  #at: number;

  constructor(now: number) {
    this.#at = now;
  }

  /** Takes units for calls, as of `RateLimitStore.take`. */
  take(rule: StoreRule, calls: readonly TakeCall[], now: number): TakeResult {
    const state = this.#ask(rule, now);
    const larger = this.#rules.filter((each) => binds(each, state, now));
    const capacity = capacityOf(rule);
    const waitFor = (cost: number): number =>
      larger.reduce((ms, each) => Math.max(ms, heldBack(each, state, cost, now)), state.wait(cost));
    const scheduled = 'burst' in rule;
    /** Costs of the calls that can wait, but cannot be served yet. */
    let queued = 0;
    const answers = calls.map(({ cost, maxWaitMs }): TakeAnswer => {
      const ahead = cost + queued;
      // A window says when it moves on, and not how often it has to.
      const fits = waitFor(scheduled ? ahead : Math.min(ahead, capacity));
      const waitMs = Math.max(fits, this.#blockedMs);
      // A place can only be taken ahead where there are places.
      const places = larger.every(
        (each) => 'burst' in each.rule || heldBack(each, state, ahead, now) === 0,
      );
      const mayWaitMs = scheduled ? Math.min(maxWaitMs, RESERVATION_MS) : 0;
      if (queued === 0 && this.#blockedMs === 0 && places && waitMs <= mayWaitMs) {
        for (const other of this.#rules) {
          if (other === state) continue;
          if (larger.includes(other) && cost <= capacityOf(other.rule)) other.charge(cost);
          else other.chargeForeign(cost);
        }
        return { taken: true, waitMs, receipt: state.charge(cost) };
      }
      if (waitMs <= maxWaitMs) queued += cost;
      return { taken: false, retryAfterMs: waitMs };
    });
    const all = [state, ...larger];
    const free = Math.min(...all.map((each) => capacityOf(each.rule) - each.used));
    const left = Math.max(0, Math.floor(free + TOLERANCE));
    const busy = all.some(({ busyMs }) => busyMs > 0);
    const growthMs = busy ? waitFor(Math.min(capacity, left + 1)) : 0;
    const blocked = this.#blockedMs > 0;
    return {
      answers,
      remaining: blocked ? 0 : left,
      resetMs: blocked ? this.#blockedMs : growthMs,
    };
  }

  giveBack(rule: StoreRule, receipt: string, cost: number, now: number): void {
    this.#sync(now);
    this.#rules.find((state) => sameRule(state.rule, rule))?.giveBack(receipt, cost);
  }

  change(rule: StoreRule, change: RateChange, now: number): void {
    if (change.kind === 'reset') {
      this.#rules = [];
      this.#blockedMs = 0;
      return;
    }
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
    return this.#blockedMs === 0 && this.#rules.every(({ busyMs }) => busyMs === 0);
  }

  #sync(now: number): void {
    this.#blockedMs = Math.max(0, this.#blockedMs - Math.max(0, now - this.#at));
    this.#at = now;
    for (const state of this.#rules) {
      state.sync(now);
      state.askedAt = Math.min(state.askedAt, now);
    }
  }

  /** The state of a rule, derived from the others when it is new. Rules no longer in use are dropped. */
  #ask(rule: StoreRule, now: number): RuleState {
    this.#sync(now);
    let state = this.#rules.find((each) => sameRule(each.rule, rule));
    state ??= derive(rule, this.#rules, now);
    const others = this.#rules
      .filter((each) => each !== state && now - each.askedAt <= each.recoveryMs)
      .sort((a, b) => b.askedAt - a.askedAt);
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
  if (rule === asked || bindsFor(rule, asked, now) <= 0) return false;
  const [theirs, ours] = [sizeOf(rule.rule), sizeOf(asked.rule)];
  const first = theirs.findIndex((size, i) => size !== ours[i]);
  return first >= 0 && theirs[first]! > ours[first]!;
}

/** What rules are ordered by: the rate, what is granted at once, and then something that never ties. */
function sizeOf(rule: StoreRule): readonly number[] {
  const kind = 'burst' in rule ? 1 : 'segments' in rule ? 2 : 3;
  const extra = 'burst' in rule ? rule.burst : 'segments' in rule ? rule.segments : 0;
  return [rule.limit / rule.windowMs, capacityOf(rule), kind, rule.windowMs, extra];
}

/** Milliseconds until a larger rule has room for a call of another, or binds it no more. */
function heldBack(rule: RuleState, asked: RuleState, cost: number, now: number): number {
  const waitMs = rule.wait(Math.min(cost, capacityOf(rule.rule)));
  return Math.min(waitMs, bindsFor(rule, asked, now));
}
