import { type Clock, systemClock } from '@temper/core';
import { FixedWindowRule } from '../rules/fixed-window.ts';
import { type Rule, TOLERANCE } from '../rules/rule.ts';
import { SlidingWindowRule } from '../rules/sliding-window.ts';
import type {
  PermitRequest,
  PermitResult,
  RateLimitStore,
  StoreKey,
  StoreRule,
  TakeAnswer,
  TakeCall,
  TakeRequest,
  TakeResult,
} from './store.ts';

interface Lease {
  readonly cost: number;
  until: number;
}

/** The numbers of a token bucket or GCRA as a schedule of evenly spaced units. */
interface Schedule {
  readonly intervalMs: number;
  readonly aheadMs: number;
  readonly burst: number;
}

/**
 * A {@link RateLimitStore} inside one process: for tests, and the reference that other stores are
 * compared with. It never removes a key.
 */
export class MemoryRateLimitStore implements RateLimitStore {
  readonly #clock: Clock;
  readonly #schedules = new Map<string, number>();
  readonly #windows = new Map<string, Float64Array>();
  readonly #permits = new Map<string, Map<string, Lease>>();
  readonly #nodes = new Map<string, Map<string, number>>();

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  async take({ rule, calls, ...key }: TakeRequest): Promise<TakeResult> {
    return 'burst' in rule
      ? this.#takeScheduled(id(key, 'schedule'), scheduleOf(rule), calls)
      : this.#takeWindowed(id(key, rule.kind), windowRuleOf(rule), calls);
  }

  #takeScheduled(key: string, schedule: Schedule, calls: readonly TakeCall[]): TakeResult {
    const { intervalMs, aheadMs, burst } = schedule;
    const now = this.#clock.monotonic();
    let due = Math.max(now, this.#schedules.get(key) ?? now);
    const answers = calls.map(({ cost, maxWaitMs }): TakeAnswer => {
      const next = due + cost * intervalMs;
      const waitMs = rounded(next - aheadMs - now, intervalMs);
      if (waitMs > maxWaitMs) return { taken: false, retryAfterMs: waitMs };
      due = next;
      return { taken: true, waitMs, receipt: String(due) };
    });
    this.#schedules.set(key, due);
    const units = burst - (due - now) / intervalMs;
    const growth = Math.floor(units + TOLERANCE) + 1 - units;
    return {
      answers,
      remaining: Math.max(0, Math.floor(units + TOLERANCE)),
      resetMs: due <= now ? 0 : growth * intervalMs,
    };
  }

  #takeWindowed(key: string, rule: Rule, calls: readonly TakeCall[]): TakeResult {
    const now = this.#clock.monotonic();
    let state = this.#windows.get(key);
    if (state === undefined) {
      state = new Float64Array(rule.slots);
      rule.reset(state, 0, 0);
      this.#windows.set(key, state);
    }
    const held = state;
    let behind = 0;
    const answers = calls.map(({ cost }): TakeAnswer => {
      if (behind === 0 && rule.take(held, 0, now, cost)) {
        return { taken: true, waitMs: 0, receipt: '' };
      }
      // A call is not asked for again before those ahead of it.
      behind = Math.max(behind, rule.delay(held, 0, now, cost));
      return { taken: false, retryAfterMs: behind };
    });
    return {
      answers,
      remaining: Math.floor(rule.available(held, 0, now) + TOLERANCE),
      resetMs: rule.growth(held, 0, now),
    };
  }

  async giveBack({
    rule,
    cost,
    receipt,
    ...key
  }: StoreKey & { rule: StoreRule; cost: number; receipt: string }): Promise<void> {
    const name = id(key, 'schedule');
    const due = this.#schedules.get(name);
    if (due === undefined || String(due) !== receipt) return;
    this.#schedules.set(name, due - cost * (rule.windowMs / rule.limit));
  }

  async takePermits({ lease, cost, limit, leaseMs, ...key }: PermitRequest): Promise<PermitResult> {
    const now = this.#clock.monotonic();
    const leases = this.#leases(key, now);
    let inUse = sum(leases);
    const granted = inUse + cost <= limit;
    if (granted && cost > 0) {
      leases.set(lease, { cost, until: now + leaseMs });
      inUse += cost;
    }
    const first = Math.min(...[...leases.values()].map(({ until }) => until));
    return { granted, inUse, expiryMs: leases.size === 0 ? 0 : first - now };
  }

  async renewPermits({
    leases: renewed,
    leaseMs,
    ...key
  }: StoreKey & { leases: readonly string[]; leaseMs: number }): Promise<readonly string[]> {
    const now = this.#clock.monotonic();
    const leases = this.#leases(key, now);
    return renewed.filter((name) => {
      const lease = leases.get(name);
      if (lease === undefined) return true;
      lease.until = now + leaseMs;
      return false;
    });
  }

  async returnPermits({ lease, ...key }: StoreKey & { lease: string }): Promise<void> {
    this.#leases(key, this.#clock.monotonic()).delete(lease);
  }

  #leases(key: StoreKey, now: number): Map<string, Lease> {
    const name = id(key, 'permits');
    let leases = this.#permits.get(name);
    if (leases === undefined) {
      leases = new Map();
      this.#permits.set(name, leases);
    }
    for (const [lease, { until }] of leases) if (until <= now) leases.delete(lease);
    return leases;
  }

  async announce({
    limiter,
    node,
    ttlMs,
  }: {
    limiter: string;
    node: string;
    ttlMs: number;
  }): Promise<number> {
    const now = this.#clock.monotonic();
    const nodes = this.#nodes.get(limiter) ?? new Map<string, number>();
    this.#nodes.set(limiter, nodes);
    nodes.set(node, now + ttlMs);
    for (const [one, until] of nodes) if (until <= now) nodes.delete(one);
    return nodes.size;
  }
}

const id = ({ limiter, key }: StoreKey, kind: string): string =>
  JSON.stringify([limiter, key, kind]);

function scheduleOf(rule: Extract<StoreRule, { burst: number }>): Schedule {
  const intervalMs = rule.windowMs / rule.limit;
  return { intervalMs, aheadMs: rule.burst * intervalMs, burst: rule.burst };
}

function windowRuleOf(rule: Exclude<StoreRule, { burst: number }>): Rule {
  return rule.kind === 'fixed-window'
    ? new FixedWindowRule(rule.limit, rule.windowMs)
    : new SlidingWindowRule(rule.limit, rule.windowMs, rule.segments);
}

/** A wait within the tolerance of a unit is 0. */
const rounded = (waitMs: number, intervalMs: number): number =>
  waitMs <= TOLERANCE * intervalMs ? 0 : waitMs;

const sum = (leases: ReadonlyMap<string, Lease>): number =>
  [...leases.values()].reduce((total, { cost }) => total + cost, 0);
