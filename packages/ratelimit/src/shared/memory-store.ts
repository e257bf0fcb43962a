import { type Clock, systemClock } from '@temper/core';
import { KeyState } from './key-state.ts';
import type {
  JointRequest,
  JointResult,
  PermitRequest,
  PermitResult,
  RateChange,
  RateLimitStore,
  StoreKey,
  StoreRule,
  TakeRequest,
  TakeResult,
} from './store.ts';

interface Lease {
  readonly cost: number;
  leaseMs: number;
  until: number;
}

/** Idle keys are looked for whenever so many have been added. */
const SWEEP_AFTER = 1000;

/**
 * A {@link RateLimitStore} inside one process: for tests, and the reference that other stores are
 * compared with. Keys of which nothing is used are removed when others are added.
 */
export class MemoryRateLimitStore implements RateLimitStore {
  readonly #clock: Clock;
  readonly #rates = new Map<string, KeyState>();
  readonly #permits = new Map<string, Map<string, Lease>>();
  readonly #nodes = new Map<string, Map<string, number>>();
  #sweepAt = SWEEP_AFTER;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  async take({ rule, calls, ...key }: TakeRequest): Promise<TakeResult> {
    const now = this.#clock.monotonic();
    return this.#rate(key, now).take(rule, calls, now);
  }

  async takeAll({ rates, permits }: JointRequest): Promise<JointResult> {
    const now = this.#clock.monotonic();
    const ask = (dry: boolean): readonly TakeResult[] =>
      rates.map(({ rule, calls, ...key }) => {
        // Ahead of time nothing is taken here.
        const asked = dry ? calls : calls.map((call) => ({ ...call, maxWaitMs: 0 }));
        return this.#rate(key, now).take(rule, asked, now, dry);
      });
    const found = ask(true);
    const taken =
      found.every(({ answers }) =>
        answers.every((each) => !each.taken && each.retryAfterMs === 0),
      ) && permits.every((each) => this.#fits(each, now));
    return {
      taken,
      rates: taken ? ask(false) : found,
      permits: permits.map((each) => this.#takePermits(taken ? each : { ...each, calls: [] }, now)),
    };
  }

  /** Whether the permits of a call are free. */
  #fits({ calls, limit, ...key }: PermitRequest, now: number): boolean {
    let units = 0;
    for (const { cost } of [...this.#leases(key, now).values(), ...calls]) units += cost;
    return units <= limit;
  }

  async giveBack({
    rule,
    cost,
    receipt,
    ...key
  }: StoreKey & { rule: StoreRule; cost: number; receipt: string }): Promise<void> {
    this.#rates.get(id(key))?.giveBack(rule, receipt, cost, this.#clock.monotonic());
  }

  async change({
    rule,
    change,
    ...key
  }: StoreKey & { rule: StoreRule; change: RateChange }): Promise<void> {
    const now = this.#clock.monotonic();
    this.#rate(key, now).change(rule, change, now);
  }

  #rate(key: StoreKey, now: number): KeyState {
    const name = id(key);
    let state = this.#rates.get(name);
    if (state === undefined) {
      if (this.#rates.size >= this.#sweepAt) this.#sweep(now);
      state = new KeyState(now);
      this.#rates.set(name, state);
    }
    return state;
  }

  #sweep(now: number): void {
    for (const [name, state] of this.#rates) if (state.idle(now)) this.#rates.delete(name);
    this.#sweepAt = 2 * this.#rates.size + SWEEP_AFTER;
  }

  async takePermits(request: PermitRequest): Promise<PermitResult> {
    return this.#takePermits(request, this.#clock.monotonic());
  }

  #takePermits({ calls, limit, leaseMs, ...key }: PermitRequest, now: number): PermitResult {
    const leases = this.#leases(key, now);
    let inUse = 0;
    for (const { cost } of leases.values()) inUse += cost;
    let granted = 0;
    for (const { lease, cost } of calls) {
      if (inUse + cost > limit) break;
      leases.set(lease, { cost, leaseMs, until: now + leaseMs });
      inUse += cost;
      granted++;
    }
    let first = Number.POSITIVE_INFINITY;
    for (const { until } of leases.values()) first = Math.min(first, until);
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
      lease.leaseMs = leaseMs;
      return false;
    });
  }

  async returnPermits({
    leases: returned,
    ...key
  }: StoreKey & { leases: readonly string[] }): Promise<void> {
    const leases = this.#leases(key, this.#clock.monotonic());
    for (const lease of returned) leases.delete(lease);
  }

  #leases(key: StoreKey, now: number): Map<string, Lease> {
    const name = id(key);
    let leases = this.#permits.get(name);
    if (leases === undefined) {
      leases = new Map();
      this.#permits.set(name, leases);
    }
    for (const [id, lease] of leases) {
      // After the clock was set back, no lease is longer than it was meant to be.
      lease.until = Math.min(lease.until, now + lease.leaseMs);
      if (lease.until <= now) leases.delete(id);
    }
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
    for (const [each, until] of nodes) {
      if (until <= now) nodes.delete(each);
      else nodes.set(each, Math.min(until, now + ttlMs));
    }
    return nodes.size;
  }
}

const id = ({ limiter, key }: StoreKey): string => JSON.stringify([limiter, key]);
