import { type Clock, systemClock } from '@temper/core';
import { FixedWindowRules } from '../fixed-window.ts';
import { type Rules, TOLERANCE } from '../rules.ts';
import { SlidingWindowRules } from '../sliding-window.ts';
import type {
  PermitRequest,
  PermitResult,
  RateLimitStore,
  StoreKey,
  StoreRule,
  TakeAnswer,
  TakeAsk,
  TakeRequest,
  TakeResult,
} from './store.ts';

interface Lease {
  readonly cost: number;
  until: number;
}

/** How a rule with a schedule is kept: when the next unit is due if all came evenly. */
interface Schedule {
  readonly intervalMs: number;
  readonly aheadMs: number;
  readonly burst: number;
}

/**
 * A {@link RateLimitStore} inside one process: for tests, and as the statement in code of what every
 * other store must do. It forgets nothing.
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

  async take({ rule, asks, ...key }: TakeRequest): Promise<TakeResult> {
    return 'burst' in rule
      ? this.#takeScheduled(id(key, 'schedule'), scheduleOf(rule), asks)
      : this.#takeWindowed(id(key, rule.kind), rulesOf(rule), asks);
  }

  #takeScheduled(key: string, schedule: Schedule, asks: readonly TakeAsk[]): TakeResult {
    const { intervalMs, aheadMs, burst } = schedule;
    const now = this.#clock.monotonic();
    let due = Math.max(now, this.#schedules.get(key) ?? now);
    const answers = asks.map(({ cost, maxWaitMs }): TakeAnswer => {
      const next = due + cost * intervalMs;
      const waitMs = settle(next - aheadMs - now, intervalMs);
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

  #takeWindowed(key: string, rules: Rules, asks: readonly TakeAsk[]): TakeResult {
    const now = this.#clock.monotonic();
    let state = this.#windows.get(key);
    if (state === undefined) {
      state = new Float64Array(rules.slots);
      rules.reset(state, 0, 0);
      this.#windows.set(key, state);
    }
    const held = state;
    let behind = 0;
    const answers = asks.map(({ cost }): TakeAnswer => {
      if (behind === 0 && rules.take(held, 0, now, cost)) {
        return { taken: true, waitMs: 0, receipt: '' };
      }
      // Nobody is worth asking for before those ahead.
      behind = Math.max(behind, rules.delay(held, 0, now, cost));
      return { taken: false, retryAfterMs: behind };
    });
    return {
      answers,
      remaining: Math.floor(rules.available(held, 0, now) + TOLERANCE),
      resetMs: rules.growth(held, 0, now),
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
    if (granted) {
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

function rulesOf(rule: Exclude<StoreRule, { burst: number }>): Rules {
  return rule.kind === 'fixed-window'
    ? new FixedWindowRules(rule.limit, rule.windowMs)
    : new SlidingWindowRules(rule.limit, rule.windowMs, rule.segments);
}

/** A wait within the rounding of a unit is none. */
const settle = (waitMs: number, intervalMs: number): number =>
  waitMs <= TOLERANCE * intervalMs ? 0 : waitMs;

const sum = (leases: ReadonlyMap<string, Lease>): number =>
  [...leases.values()].reduce((total, { cost }) => total + cost, 0);
