import type { Operation } from '@temper/core';
import { type Call, type Counts, notify } from '@temper/core/policy';
import type { RateLimitExceededError } from '../errors.ts';
import { leaseOf } from '../lease.ts';
import type { AcquireOptions, Decision, Lease, LimitState } from '../limiter.ts';
import { pass } from '../pass.ts';
import { type Rule, TOLERANCE } from '../rules/rule.ts';
import { LimiterObserver } from '../telemetry.ts';
import { checkCapacity } from '../wait/acquire-options.ts';
import { Forecast } from '../wait/forecast.ts';
import type { ResolvedQueueOptions } from '../wait/options.ts';
import { Turns } from '../wait/turns.ts';
import type { Gate, WaitQueue } from '../wait/wait-queue.ts';
import { type KeyTable, NONE, noRoom } from './key-table.ts';
import { LruIndex } from './lru-index.ts';
import { idleTime, type KeyedStats } from './options.ts';
import { countEvictions, countRefusedKeys } from './telemetry.ts';

/** Parameters of a {@link RateTable}. */
interface RateTableOptions {
  readonly rule: Rule;
  /** Name, clock and queues of every key. */
  readonly queue: ResolvedQueueOptions;
  readonly maxKeys: number;
  readonly idleMs: number | undefined;
}

/**
 * One rate limit for each key. A key is a few numbers in flat arrays; only while calls wait for it does
 * it have a queue as well.
 */
export class RateTable implements KeyTable {
  readonly name: string;
  readonly #rule: Rule;
  readonly #queue: ResolvedQueueOptions;
  readonly #idleMs: number;
  readonly #index: LruIndex;
  readonly #observer: LimiterObserver;
  readonly #refused: Counts<'keys'>;
  readonly #evicted: Counts<'evictions'>;
  #state: Float64Array;
  /** The keys that calls wait for. They cannot be removed. */
  readonly #waiting = new Map<number, KeyGate>();

  constructor({ rule, queue, maxKeys, idleMs }: RateTableOptions) {
    this.name = queue.name;
    this.#rule = rule;
    this.#queue = queue;
    this.#idleMs = idleTime(queue.name, idleMs, rule.freshAfterMs);
    this.#index = new LruIndex(maxKeys);
    this.#observer = new LimiterObserver(this, queue);
    this.#refused = countRefusedKeys(this);
    this.#evicted = countEvictions(this);
    this.#state = new Float64Array(this.#index.capacity * rule.slots);
  }

  tryAcquire(key: string, cost: number): Lease | undefined {
    return this.#tryEnter(key, cost) ? leaseOf(cost) : undefined;
  }

  take(key: string, cost: number): Decision {
    const allowed = this.#tryEnter(key, cost);
    const slot = this.#index.find(key);
    const retryAfterMs = allowed ? 0 : slot === NONE ? undefined : this.delay(slot, cost);
    return { ...this.peek(key), allowed, retryAfterMs, lease: allowed ? leaseOf(cost) : undefined };
  }

  async acquire(key: string, cost: number, options: AcquireOptions): Promise<Lease> {
    const { signal } = options;
    if (signal?.aborted === true) throw signal.reason;
    await this.#admit(key, cost, (turns) => turns.acquire(options));
    return leaseOf(cost);
  }

  runInCall<T>(key: string, operation: Operation<T>, call: Call): Promise<T> {
    const now = this.#queue.clock.monotonic();
    return this.#enter(this.#use(key, now), call.cost, now)
      ? pass(operation, call)
      : this.#runInTurn(key, operation, call);
  }

  async #runInTurn<T>(key: string, operation: Operation<T>, call: Call): Promise<T> {
    await this.#admit(key, call.cost, (turns) => turns.wait(call));
    if (call.aborted) throw call.reason;
    return await operation(call);
  }

  /** Takes units of a slot if they are available and no call waits for them. */
  #enter(slot: number, cost: number, now: number): boolean {
    if (slot === NONE || this.#queuedAt(slot) > 0 || !this.tryTake(slot, cost, now)) return false;
    this.#observer.counts.allowed++;
    return true;
  }

  /** As {@link #enter}, for a caller that does not wait: a refusal is counted. */
  #tryEnter(key: string, cost: number): boolean {
    if (cost !== 1) checkCapacity(this.name, this.#rule.capacity, cost);
    const now = this.#queue.clock.monotonic();
    const slot = this.#use(key, now);
    if (this.#enter(slot, cost, now)) return true;
    if (slot === NONE) this.#refused.keys++;
    else this.#observer.counts.limit++;
    return false;
  }

  async #admit(key: string, cost: number, wait: (turns: Turns) => Promise<unknown>): Promise<void> {
    const now = this.#queue.clock.monotonic();
    const slot = this.#use(key, now);
    if (slot === NONE) throw this.#refuse(cost);
    if (this.#enter(slot, cost, now)) return;
    const gate = this.#pin(slot);
    try {
      await wait(gate.turns);
    } finally {
      if (gate.turns.queued === 0) this.#unpin(slot, gate);
    }
  }

  #refuse(cost: number): RateLimitExceededError {
    const error = noRoom(this.name, this.#index.size, cost);
    this.#refused.keys++;
    notify(this.name, 'onReject', this.#queue.onReject, error);
    return error;
  }

  #queuedAt(slot: number): number {
    return this.#waiting.size === 0 ? 0 : (this.#waiting.get(slot)?.turns.queued ?? 0);
  }

  #pin(slot: number): KeyGate {
    let gate = this.#waiting.get(slot);
    if (gate === undefined) {
      gate = new KeyGate(this, slot, this.#rule, this.#queue, this.#observer);
      this.#index.pin(slot);
      this.#waiting.set(slot, gate);
    }
    return gate;
  }

  /** The slot may have been unpinned by another call, and pinned again since. */
  #unpin(slot: number, gate: KeyGate): void {
    if (this.#waiting.get(slot) !== gate) return;
    this.#waiting.delete(slot);
    this.#index.unpin(slot, this.#queue.clock.monotonic());
  }

  /** Marks the key as used, adding it if it is new. @returns its slot; `NONE` when there is no room */
  #use(key: string, now: number): number {
    const slot = this.#index.find(key);
    if (slot === NONE) return this.#add(key, now);
    if (this.#waiting.size === 0 || !this.#waiting.has(slot)) this.#index.touch(slot, now);
    return slot;
  }

  #add(key: string, now: number): number {
    const index = this.#index;
    this.#removeIdle(now, 2);
    if (index.full) {
      if (index.oldest === NONE) return NONE;
      index.remove(index.oldest);
      this.#evicted.evictions++;
    }
    const slot = index.add(key, now);
    const { slots } = this.#rule;
    if (this.#state.length < index.capacity * slots) {
      const state = new Float64Array(index.capacity * slots);
      state.set(this.#state);
      this.#state = state;
    }
    this.#rule.reset(this.#state, slot * slots, now);
    return slot;
  }

  /** Removes up to `most` keys that have been idle for too long. */
  #removeIdle(now: number, most: number): void {
    for (let left = most; left > 0; left--) {
      const { oldest } = this.#index;
      if (oldest === NONE || now - this.#index.usedAt(oldest) < this.#idleMs) return;
      this.#index.remove(oldest);
    }
  }

  tryTake(slot: number, cost: number, now: number = this.#queue.clock.monotonic()): boolean {
    return this.#rule.take(this.#state, slot * this.#rule.slots, now, cost);
  }

  delay(slot: number, cost: number): number {
    const now = this.#queue.clock.monotonic();
    return this.#rule.delay(this.#state, slot * this.#rule.slots, now, cost);
  }

  forecast(
    forecast: Forecast,
    slot: number,
    ...call: [queue: WaitQueue, cost: number, deadline: number, now: number]
  ): number {
    return forecast.next(this.#state, slot * this.#rule.slots, ...call);
  }

  peek(key: string): LimitState {
    const slot = this.#index.find(key);
    const { limit, windowMs, capacity } = this.#rule;
    return slot === NONE
      ? { limit, windowMs, remaining: Math.floor(capacity), resetMs: 0 }
      : this.peekAt(slot);
  }

  peekAt(slot: number): LimitState {
    const rule = this.#rule;
    const now = this.#queue.clock.monotonic();
    const at = slot * rule.slots;
    const available = this.#queuedAt(slot) > 0 ? 0 : rule.available(this.#state, at, now);
    return {
      limit: rule.limit,
      windowMs: rule.windowMs,
      remaining: Math.max(0, Math.floor(available + TOLERANCE)),
      resetMs: rule.growth(this.#state, at, now),
    };
  }

  forget(key: string): boolean {
    const slot = this.#index.find(key);
    if (slot === NONE || this.#waiting.has(slot)) return false;
    this.#index.remove(slot);
    return true;
  }

  stats(): KeyedStats {
    this.#removeIdle(this.#queue.clock.monotonic(), Number.POSITIVE_INFINITY);
    let queued = 0;
    for (const { turns } of this.#waiting.values()) queued += turns.queued;
    const { totals } = this.#observer;
    return {
      keys: this.#index.size,
      evictions: this.#evicted.evictions,
      queued,
      ...totals,
      rejected: totals.rejected + this.#refused.keys,
    };
  }
}

/** One key while calls wait for it. */
class KeyGate implements Gate {
  readonly name: string;
  readonly capacity: number;
  readonly turns: Turns;
  readonly #table: RateTable;
  readonly #slot: number;
  readonly #forecast: Forecast;

  constructor(
    table: RateTable,
    slot: number,
    rule: Rule,
    options: ResolvedQueueOptions,
    observer: LimiterObserver,
  ) {
    this.name = table.name;
    this.capacity = rule.capacity;
    this.#table = table;
    this.#slot = slot;
    this.#forecast = new Forecast(rule);
    this.turns = new Turns(this, options, observer);
  }

  tryTake(cost: number, now?: number): boolean {
    return this.#table.tryTake(this.#slot, cost, now);
  }

  delay(cost: number): number {
    return this.#table.delay(this.#slot, cost);
  }

  peek(): LimitState {
    return this.#table.peekAt(this.#slot);
  }

  forecast(queue: WaitQueue, cost: number, deadline: number, now: number): number {
    return this.#table.forecast(this.#forecast, this.#slot, queue, cost, deadline, now);
  }
}
