import { TOLERANCE } from '../rules/rule.ts';
import { positive } from '../rules/window.ts';
import { RESERVATION_MS, type StoreRule } from './store.ts';

type BucketRule = Extract<StoreRule, { burst: number }>;
type SlidingRule = Extract<StoreRule, { segments: number }>;

/** Times differ by no more than this when they are the same, in milliseconds. */
const SAME_MS = 0.001;

/** Of two numbers of units the second is more than the first when it is more than this times as much. */
const MORE = 1 + 1e-9;

/** Units so few that they do not count, of a window that goes on. */
const NOTHING = 1e-9;

/**
 * What is used of one rate limit under one rule, at any time of a clock that may be set back: elapsed
 * time counts, the time of day does not. `sync` must be called before anything else is asked.
 */
export interface RuleState {
  readonly rule: StoreRule;
  /** How long units can be in use, in milliseconds. */
  readonly recoveryMs: number;
  /** When the rule was last asked for. */
  askedAt: number;
  /** Brings the state to the present. */
  sync(now: number): void;
  /** Milliseconds until `cost` fits; 0 when it does. */
  wait(cost: number): number;
  /** Uses units, whether or not they fit. @returns the receipt */
  charge(cost: number): string;
  /** As {@link charge}, for a call under another rule: the state is never more than used up. */
  chargeForeign(cost: number): void;
  /** Gives back what a receipt stands for. */
  giveBack(receipt: string, cost: number): void;
  /** Gives back units, whoever has used them. */
  credit(units: number): void;
  /** Units in use. */
  readonly used: number;
  /** Milliseconds until no unit is in use. */
  readonly busyMs: number;
}

/** Units in a schedule of evenly spaced places: a token bucket, and GCRA. */
class BucketState implements RuleState {
  readonly rule: BucketRule;
  readonly recoveryMs: number;
  askedAt: number;
  readonly #intervalMs: number;
  readonly #fullMs: number;
  #at: number;
  /** How far the last place is ahead of the present. */
  #aheadMs: number;
  /** Places that were given back before others: how far ahead they end, and their lengths. */
  #gaps: { endMs: number; readonly lengthMs: number }[] = [];

  constructor(rule: BucketRule, now: number, used: number) {
    this.rule = rule;
    this.askedAt = now;
    this.#intervalMs = rule.windowMs / rule.limit;
    this.#fullMs = rule.burst * this.#intervalMs;
    this.recoveryMs = this.#fullMs + RESERVATION_MS;
    this.#at = now;
    this.#aheadMs = Math.min(used, rule.burst) * this.#intervalMs;
  }

  sync(now: number): void {
    const elapsed = Math.max(0, now - this.#at);
    this.#at = now;
    this.#aheadMs = Math.min(Math.max(0, this.#aheadMs - elapsed), this.recoveryMs);
    for (const gap of this.#gaps) gap.endMs -= elapsed;
    this.#reclaim();
  }

  wait(cost: number): number {
    const waitMs = this.#aheadMs + cost * this.#intervalMs - this.#fullMs;
    return waitMs <= TOLERANCE * this.#intervalMs ? 0 : waitMs;
  }

  charge(cost: number): string {
    this.#aheadMs += cost * this.#intervalMs;
    return String(this.#at + this.#aheadMs);
  }

  chargeForeign(cost: number): void {
    const most = Math.max(this.#aheadMs, this.#fullMs);
    this.#aheadMs = Math.min(this.#aheadMs + cost * this.#intervalMs, most);
  }

  giveBack(receipt: string, cost: number): void {
    const endMs = Number(receipt) - this.#at;
    // What has come due since is available again in any case.
    if (!(endMs > 0 && endMs <= this.recoveryMs + SAME_MS)) return;
    this.#gaps.push({ endMs, lengthMs: Math.min(cost * this.#intervalMs, endMs) });
    this.#reclaim();
  }

  /**
   * Shortens the schedule by the places given back at its end, or by all of them when no call waits for
   * its place any more. Before that, a shorter schedule would have two calls in one place.
   */
  #reclaim(): void {
    this.#gaps = this.#gaps.filter(({ endMs }) => endMs > 0).sort((a, b) => b.endMs - a.endMs);
    const mostMs = this.#fullMs + TOLERANCE * this.#intervalMs;
    let kept = 0;
    for (const gap of this.#gaps) {
      if (this.#aheadMs <= mostMs || gap.endMs >= this.#aheadMs - SAME_MS) {
        this.#aheadMs = Math.max(0, this.#aheadMs - gap.lengthMs);
      } else {
        this.#gaps[kept++] = gap;
      }
    }
    this.#gaps.length = kept;
  }

  credit(units: number): void {
    this.#aheadMs = Math.max(0, this.#aheadMs - units * this.#intervalMs);
  }

  get used(): number {
    return this.#aheadMs / this.#intervalMs;
  }

  get busyMs(): number {
    return this.#aheadMs <= TOLERANCE * this.#intervalMs ? 0 : this.#aheadMs;
  }
}

/** Units by segment of time, as in `SlidingWindowRule`. The first segment begins with the first unit. */
class SlidingState implements RuleState {
  readonly rule: SlidingRule;
  readonly recoveryMs: number;
  askedAt: number;
  readonly #segmentMs: number;
  #at: number;
  /** Milliseconds until the present segment ends. */
  #leftMs: number;
  /** From the present segment back to the last that counts. */
  readonly #counts: number[];

  constructor(rule: SlidingRule, now: number) {
    this.rule = rule;
    this.askedAt = now;
    this.#segmentMs = rule.windowMs / rule.segments;
    this.recoveryMs = rule.windowMs + this.#segmentMs;
    this.#at = now;
    this.#leftMs = this.#segmentMs;
    this.#counts = new Array<number>(rule.segments + 1).fill(0);
  }

  /** Uses units some time ago. Those of too long ago are not counted. */
  chargeAgo(agoMs: number, cost: number): void {
    const age = Math.ceil(agoMs / this.#segmentMs);
    if (age < this.#counts.length) this.#counts[age] = this.#counts[age]! + cost;
  }

  /** What was used, and how long ago at the least. */
  *history(): Generator<{ readonly agoMs: number; readonly used: number }> {
    for (const [age, used] of this.#counts.entries()) {
      if (used > 0) yield { agoMs: Math.max(0, age * this.#segmentMs - this.#leftMs), used };
    }
  }

  sync(now: number): void {
    if (this.used === 0) {
      this.#at = now;
      this.#leftMs = this.#segmentMs;
      return;
    }
    const beyond = Math.max(0, now - this.#at) - this.#leftMs;
    const passed = beyond < 0 ? 0 : 1 + Math.floor(beyond / this.#segmentMs);
    this.#leftMs = passed * this.#segmentMs - beyond;
    this.#at = now;
    for (let i = Math.min(passed, this.#counts.length); i > 0; i--) {
      this.#counts.pop();
      this.#counts.unshift(0);
    }
    // As if somebody had asked when the last unit left, whether or not somebody has.
    if (this.used === 0) this.#leftMs = this.#segmentMs;
  }

  wait(cost: number): number {
    const { limit } = this.rule;
    let total = this.used;
    if (total + cost <= limit + TOLERANCE) return 0;
    for (let age = this.#counts.length - 1; age >= 0; age--) {
      total -= this.#counts[age]!;
      if (total + cost <= limit + TOLERANCE) return this.#untilGone(age);
    }
    return this.#untilGone(0);
  }

  /** Milliseconds until a segment has left the window. */
  #untilGone(age: number): number {
    return positive(this.#leftMs + (this.rule.segments - age) * this.#segmentMs);
  }

  charge(cost: number): string {
    this.#counts[0] = this.#counts[0]! + cost;
    return String(this.#at + this.#leftMs);
  }

  chargeForeign(cost: number): void {
    this.charge(cost);
  }

  giveBack(receipt: string, cost: number): void {
    const age = Math.round((this.#at + this.#leftMs - Number(receipt)) / this.#segmentMs);
    const count = this.#counts[age];
    if (count !== undefined) this.#counts[age] = Math.max(0, count - cost);
  }

  credit(units: number): void {
    let left = units;
    for (const [age, count] of this.#counts.entries()) {
      this.#counts[age] = Math.max(0, count - left);
      left = Math.max(0, left - count);
    }
  }

  get used(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  get busyMs(): number {
    const last = this.#counts.findIndex((count) => count > 0);
    return last < 0 ? 0 : this.#untilGone(last);
  }
}

/** Units of the present window, which begins with its first unit. */
class FixedState implements RuleState {
  readonly rule: StoreRule;
  readonly recoveryMs: number;
  askedAt: number;
  #at: number;
  /** Milliseconds until the window ends. */
  #leftMs: number;
  #used: number;

  constructor(rule: StoreRule, now: number, used: number) {
    this.rule = rule;
    this.askedAt = now;
    this.recoveryMs = rule.windowMs;
    this.#at = now;
    this.#leftMs = rule.windowMs;
    this.#used = used;
  }

  sync(now: number): void {
    if (this.#used > 0) this.#leftMs -= Math.max(0, now - this.#at);
    this.#at = now;
    if (this.#leftMs > 0 && this.#used > 0) return;
    this.#used = 0;
    this.#leftMs = this.rule.windowMs;
  }

  wait(cost: number): number {
    return this.#used + cost <= this.rule.limit + TOLERANCE ? 0 : positive(this.#leftMs);
  }

  charge(cost: number): string {
    this.#used += cost;
    return String(this.#at + this.#leftMs);
  }

  chargeForeign(cost: number): void {
    this.charge(cost);
  }

  giveBack(receipt: string, cost: number): void {
    const same = Math.abs(Number(receipt) - this.#at - this.#leftMs) <= SAME_MS;
    if (same) this.credit(cost);
  }

  /** The window goes on, even if nothing is left in it. */
  credit(units: number): void {
    this.#used = Math.max(NOTHING, this.#used - units);
  }

  get used(): number {
    return this.#used;
  }

  get busyMs(): number {
    return this.#used > 0 ? positive(this.#leftMs) : 0;
  }
}

/**
 * Creates the state of a rule for a key that has states of other rules: as much is used as of the one
 * of which most is used, of two alike the larger rule. Sliding windows keep the times; otherwise the units count
 * as used just now.
 */
export function derive(rule: StoreRule, others: readonly RuleState[], now: number): RuleState {
  let source: RuleState | undefined;
  for (const other of others) if (isSource(other, source)) source = other;
  const used = source?.used ?? 0;
  if ('burst' in rule) return new BucketState(rule, now, used);
  if (!('segments' in rule)) return new FixedState(rule, now, used);
  const state = new SlidingState(rule, now);
  if (source instanceof SlidingState) {
    for (const { agoMs, used: units } of source.history()) state.chargeAgo(agoMs, units);
  } else {
    state.chargeForeign(used);
  }
  return state;
}

/** Whether more is used of a rule than of another; when it is as much, but for rounding, whether it is larger. */
function isSource(one: RuleState, other: RuleState | undefined): boolean {
  if (other === undefined || one.used > other.used * MORE) return one.used > 0;
  return one.used * MORE >= other.used && isLarger(one.rule, other.rule);
}

/** An order of all rules: by rate, by what is granted at once, and then by something that never ties. */
export function isLarger(one: StoreRule, other: StoreRule): boolean {
  const [theirs, ours] = [sizeOf(one), sizeOf(other)];
  const first = theirs.findIndex((size, i) => size !== ours[i]);
  return first >= 0 && theirs[first]! > ours[first]!;
}

function sizeOf(rule: StoreRule): readonly number[] {
  const kind = 'burst' in rule ? 1 : 'segments' in rule ? 2 : 3;
  const extra = 'burst' in rule ? rule.burst : 'segments' in rule ? rule.segments : 0;
  return [rule.limit / rule.windowMs, capacityOf(rule), kind, rule.windowMs, extra];
}

/** Whether two rules are the same. */
export function sameRule(a: StoreRule, b: StoreRule): boolean {
  return (
    a.limit === b.limit &&
    a.windowMs === b.windowMs &&
    'burst' in a === 'burst' in b &&
    (!('burst' in a && 'burst' in b) || a.burst === b.burst) &&
    'segments' in a === 'segments' in b &&
    (!('segments' in a && 'segments' in b) || a.segments === b.segments)
  );
}

/** Most units that can be taken at once under a rule. */
export function capacityOf(rule: StoreRule): number {
  return 'burst' in rule ? rule.burst : rule.limit;
}

/** How long a key can refuse a call that its rule allows at all, in milliseconds. */
export function longestWaitOf(rule: StoreRule): number {
  if ('burst' in rule) return (rule.burst * rule.windowMs) / rule.limit + RESERVATION_MS;
  return 'segments' in rule ? rule.windowMs * (1 + 1 / rule.segments) : rule.windowMs;
}
