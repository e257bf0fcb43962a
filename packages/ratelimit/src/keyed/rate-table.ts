import { type CallContext, type Cell, type Clock, checkNumber, type Operation } from '@temper/core';
import { RateLimitExceededError } from './errors.ts';
import { Forecast } from './forecast.ts';
import { invoke } from './invoke.ts';
import { KEYED_DEFAULTS, type KeyedStats, type KeyTable } from './keyed-options.ts';
import { leaseOf } from './lease.ts';
import type { Lease, Limiter, Quota, RequestCounts } from './limiter.ts';
import { LruIndex } from './lru-index.ts';
import { checkCost, type ResolvedQueueOptions } from './options.ts';
import { type Books, noCounts, QueuedLimiter } from './queued-limiter.ts';
import { RuledLimiter } from './rate-limiter.ts';
import { type Rules, TOLERANCE } from './rules.ts';
import { type Levels, limiterMeter } from './telemetry.ts';
import { type Gate, WaitQueue } from './wait-queue.ts';

/** What {@link KeyedRates} is told besides the limiter. */
export interface KeyedSettings {
  readonly name: string;
  readonly maxKeys: number;
  readonly idleMs: number | undefined;
  readonly clock: Clock;
  /** Where to count, when this is part of another limiter. */
  readonly books?: Books;
}

/** The limiter that the factory made to begin with, and the key it made it for. */
export interface FirstLimiter {
  readonly limiter: RuledLimiter;
  readonly key: string;
}

const NONE = -1;

/** How many different rules are looked up before each key gets its own. */
const PLANS_AT_MOST = 256;

/**
 * Rate limiters by key. A key is a few numbers in flat arrays; only while somebody waits for it has it
 * a queue as well, and only where the factory looks at keys does each have rules of its own.
 */
export class KeyedRates implements KeyTable {
  readonly books: Books;
  readonly options: ResolvedQueueOptions;
  readonly #index: LruIndex;
  readonly #shared: Rules;
  readonly #own: Rules[] | undefined;
  readonly #factory: ((key: string) => Limiter) | undefined;
  /** Rules made before, as users are many and their plans few. */
  readonly #plans = new Map<string, Rules>();
  /** The key that {@link #shared} was made for. */
  readonly #firstKey: string;
  readonly #idleMs: number;
  readonly #idleGiven: boolean;
  readonly #clock: Clock;
  #state: Float64Array;
  /** Queues of the keys that somebody waits for. Such keys are pinned. */
  readonly #queues = new Map<number, WaitQueue>();
  readonly #allowed: Cell;
  #evictions = 0;

  constructor(
    first: FirstLimiter,
    factory: ((key: string) => Limiter) | undefined,
    settings: KeyedSettings,
  ) {
    const { limiter } = first;
    limiter[Symbol.dispose]();
    this.#firstKey = first.key;
    const { name, maxKeys, idleMs, clock } = settings;
    this.options = { ...limiter.options, name, clock };
    this.books = settings.books ?? { meter: limiterMeter(name), counts: noCounts() };
    this.#allowed = this.books.meter.outcome('allowed');
    this.#clock = clock;
    this.#index = new LruIndex(maxKeys);
    this.#shared = limiter.rules;
    this.#own = factory === undefined ? undefined : [];
    this.#factory = factory;
    this.#idleGiven = idleMs !== undefined;
    this.#idleMs = idleMs ?? Math.max(KEYED_DEFAULTS.idleMs, limiter.rules.freshAfterMs);
    this.#checkIdle(limiter.rules);
    this.#state = new Float64Array(this.#index.capacity * limiter.rules.slots);
  }

  tryAcquire(key: string, cost = 1): boolean {
    const now = this.#clock.monotonic();
    const slot = this.#slotOf(key, now);
    if (slot !== NONE) {
      const rules = this.rulesOf(slot);
      if (cost !== 1) checkCost(this.options.name, cost, rules.capacity);
      if (!this.#waitedFor(slot) && rules.take(this.#state, slot * this.#shared.slots, now, cost)) {
        this.books.counts.allowed++;
        this.#allowed.value++;
        return true;
      }
    }
    this.books.counts.rejected++;
    this.books.meter.rejected(slot === NONE ? 'keys' : 'limit').value++;
    return false;
  }

  #waitedFor(slot: number): boolean {
    return this.#queues.size > 0 && this.#queues.has(slot);
  }

  rulesOf(slot: number): Rules {
    return this.#own === undefined ? this.#shared : this.#own[slot]!;
  }

  /** Marks the key as used, adding it if it is new. @returns its slot, -1 when there is no room */
  #slotOf(key: string, now: number): number {
    const index = this.#index;
    const slot = index.find(key);
    if (slot === NONE) return this.#add(key, now);
    if (!this.#waitedFor(slot)) index.touch(slot, now);
    return slot;
  }

  #add(key: string, now: number): number {
    // Before anything is forgotten: a factory that throws must leave all as it was.
    const rules = this.#newRules(key);
    const index = this.#index;
    this.#forgetIdle(now, 2);
    if (index.full) {
      if (index.oldest === NONE) return NONE;
      index.remove(index.oldest);
      this.#evictions++;
      this.books.meter.evictions().value++;
    }
    const slot = index.add(key, now);
    const { slots } = this.#shared;
    if (this.#state.length < index.capacity * slots) {
      const state = new Float64Array(index.capacity * slots);
      state.set(this.#state);
      this.#state = state;
    }
    if (this.#own !== undefined) this.#own[slot] = rules;
    rules.reset(this.#state, slot * slots, now);
    return slot;
  }

  #newRules(key: string): Rules {
    if (this.#factory === undefined || key === this.#firstKey) return this.#shared;
    const limiter = this.#factory(key);
    limiter[Symbol.dispose]();
    const rules = limiter instanceof RuledLimiter ? limiter.rules : undefined;
    if (rules?.kind !== this.#shared.kind || rules.slots !== this.#shared.slots) {
      throw new TypeError(
        `${this.options.name}: the factory must make the same kind of limiter for each key; it made a ${this.#shared.kind} first and then another.`,
      );
    }
    const plan = `${rules.limit}/${rules.windowMs}/${rules.capacity}`;
    const known = this.#plans.get(plan);
    if (known !== undefined) return known;
    this.#checkIdle(rules);
    if (this.#plans.size < PLANS_AT_MOST) this.#plans.set(plan, rules);
    return rules;
  }

  #checkIdle(rules: Rules): void {
    const min = rules.freshAfterMs;
    if (this.#idleGiven || this.#idleMs < min) {
      checkNumber(this.options.name, 'idleMs', this.#idleMs, { min });
    }
  }

  /** Forgets up to `most` keys that have been idle for too long. */
  #forgetIdle(now: number, most: number): void {
    for (let left = most; left > 0; left--) {
      const { oldest } = this.#index;
      if (oldest === NONE || now - this.#index.usedAt(oldest) < this.#idleMs) return;
      this.#index.remove(oldest);
    }
  }

  pass(key: string, cost: number): boolean {
    const now = this.#clock.monotonic();
    const slot = this.#slotOf(key, now);
    if (slot === NONE) return false;
    return this.rulesOf(slot).take(this.#state, slot * this.#shared.slots, now, cost);
  }

  /** The key's rules, for which it is added if it is new. */
  rulesFor(key: string): Rules {
    const slot = this.#slotOf(key, this.#clock.monotonic());
    return slot === NONE ? this.#shared : this.rulesOf(slot);
  }

  readyInMs(key: string, cost: number): number | undefined {
    const slot = this.#index.find(key);
    if (slot === NONE) return undefined;
    const now = this.#clock.monotonic();
    return this.rulesOf(slot).delay(this.#state, slot * this.#shared.slots, now, cost);
  }

  queuedAt(key: string): number {
    if (this.#queues.size === 0) return 0;
    return this.#queues.get(this.#index.find(key))?.size ?? 0;
  }

  /** The key's queue, which pins it until the queue is empty again. */
  queueOf(key: string, refuse: Gate['refuse']): WaitQueue {
    const slot = this.#slotOf(key, this.#clock.monotonic());
    if (slot === NONE) throw this.noRoom();
    let queue = this.#queues.get(slot);
    if (queue === undefined) {
      queue = new WaitQueue(this.#clock, this.#gateOf(slot, refuse), this.options.maxQueue);
      this.#index.pin(slot);
      this.#queues.set(slot, queue);
    }
    return queue;
  }

  #gateOf(slot: number, refuse: Gate['refuse']): Gate {
    const rules = this.rulesOf(slot);
    const at = slot * rules.slots;
    const forecast = new Forecast(rules);
    return {
      refuse,
      take: (cost, now) =>
        rules.take(this.#state, at, now, cost) ? 0 : rules.delay(this.#state, at, now, cost),
      forecast: (queue, cost, deadline, now) =>
        forecast.next(this.#state, at, queue, cost, deadline, now),
      emptied: () => {
        if (this.#queues.delete(slot)) this.#index.unpin(slot, this.#clock.monotonic());
      },
    };
  }

  noRoom(): RateLimitExceededError {
    const size = this.#index.size;
    return new RateLimitExceededError(this.options.name, {
      reason: 'keys',
      limit: size,
      remaining: 0,
      retryAfterMs: undefined,
      cost: 1,
    });
  }

  quota(key: string): Quota {
    const slot = this.#index.find(key);
    const rules = slot === NONE ? this.#newRules(key) : this.rulesOf(slot);
    const { limit, windowMs, capacity } = rules;
    if (slot === NONE) return { limit, windowMs, remaining: Math.floor(capacity), resetMs: 0 };
    const now = this.#clock.monotonic();
    const at = slot * rules.slots;
    const available = this.#queues.has(slot) ? 0 : rules.available(this.#state, at, now);
    return {
      limit,
      windowMs,
      remaining: Math.max(0, Math.floor(available + TOLERANCE)),
      resetMs: rules.growth(this.#state, at, now),
    };
  }

  limiter(key: string): Limiter {
    return new KeyView(this, key);
  }

  forget(key: string): boolean {
    const slot = this.#index.find(key);
    if (slot === NONE || this.#queues.has(slot)) return false;
    this.#index.remove(slot);
    return true;
  }

  stats(): KeyedStats {
    this.#forgetIdle(this.#clock.monotonic(), Number.POSITIVE_INFINITY);
    let queued = 0;
    for (const queue of this.#queues.values()) queued += queue.size;
    return { keys: this.#index.size, evictions: this.#evictions, queued, ...this.books.counts };
  }
}

/** The limiter of one key: has no state of its own, and finds the key anew each time. */
class KeyView extends QueuedLimiter {
  readonly #table: KeyedRates;
  readonly #key: string;

  constructor(table: KeyedRates, key: string) {
    super(table.options, table.books);
    this.#table = table;
    this.#key = key;
  }

  protected get capacity(): number {
    return this.#table.rulesFor(this.#key).capacity;
  }

  get queued(): number {
    return this.#table.queuedAt(this.#key);
  }

  protected openQueue(): WaitQueue {
    return this.#table.queueOf(this.#key, (...args) => this.refuse(...args));
  }

  protected pass(cost: number): boolean {
    return this.#table.pass(this.#key, cost);
  }

  protected lease(cost: number): Lease {
    return leaseOf(cost);
  }

  protected run<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    return invoke(operation, context);
  }

  protected readyInMs(cost: number): number | undefined {
    return this.#table.readyInMs(this.#key, cost);
  }

  quota(): Quota {
    return this.#table.quota(this.#key);
  }

  levels(): Levels {
    return {};
  }

  stats(): RequestCounts {
    return { ...this.counts };
  }
}
