import type { Clock, Operation, TelemetryScope } from '@temper/core';
import { type Call, type InCallExecutor, notify, show } from '@temper/core/policy';
import { KEYED_BY_ITSELF } from '../brands.ts';
import { dumpOf, type KeyDump } from '../changes/limit-dump.ts';
import type { RateChange } from '../changes/rate-change.ts';
import { isJoinable, type JoinedLimit, type Member } from '../joint/member.ts';
import { UnitLease } from '../lease.ts';
import type {
  AcquireOptions,
  Decision,
  Lease,
  Limiter,
  LimitState,
  RequestCounts,
} from '../limiter.ts';
import { hasRule, type RateLimiter } from '../limiters/rate-limiter.ts';
import { type RefusalListener, Refusals, type Refusing } from '../refusals.ts';
import { Watchers } from '../wait/watchers.ts';
import { boundedKey } from './bounded-key.ts';
import { type KeyTable, NONE, noRoom } from './key-table.ts';
import { LruIndex } from './lru-index.ts';
import { idleTime, type KeyedStats } from './options.ts';
import { TableCounts } from './telemetry.ts';

/** Parameters of a {@link LimiterTable}. */
interface LimiterTableOptions {
  readonly name: string;
  readonly create: (key: string) => unknown;
  readonly maxKeys: number;
  readonly idleMs: number | undefined;
  readonly clock: Clock;
  readonly telemetry: TelemetryScope | undefined;
}

/** How many keys are looked at in search of one to remove. */
const MAX_SEEN = 64;

const METHODS: readonly string[] = ['tryAcquire', 'acquire', 'take', 'peek', 'execute', 'stats'];

const CONTROLS = ['reset', 'block', 'penalty', 'reward', 'dump', 'restore'] as const;

/** A limiter of its own for each key. */
export class LimiterTable implements KeyTable {
  readonly name: string;
  readonly #options: LimiterTableOptions;
  readonly #index: LruIndex;
  readonly #limiters: (Limiter | undefined)[] = [];
  /** The key of each limiter that was created, as one limiter must not serve two keys. */
  readonly #owners = new WeakMap<Limiter, string>();
  readonly #counts: TableCounts;
  /** What the limiters of removed keys had counted. */
  readonly #removed = { allowed: 0, delayed: 0, rejected: 0, aborted: 0 };
  #idleMs: number;
  #refusals: Refusals | undefined;

  constructor(options: LimiterTableOptions) {
    const { name, maxKeys, idleMs, telemetry } = options;
    this.name = name;
    this.#options = options;
    this.#index = new LruIndex(maxKeys);
    this.#idleMs = idleTime(name, idleMs, 0);
    this.#counts = new TableCounts(this, telemetry);
  }

  [Symbol.dispose](): void {
    this.#counts[Symbol.dispose]();
  }

  onReject(listener: RefusalListener): Disposable {
    if (this.#refusals === undefined) {
      this.#refusals = new Refusals(this.name, undefined);
      for (const limiter of this.#limiters) this.#hear(limiter);
    }
    return this.#refusals.onReject(listener);
  }

  /** The refusals of a key's limiter are those of the table, once somebody listens. */
  #hear(limiter: (Limiter & Partial<Refusing>) | undefined): void {
    const refusals = this.#refusals;
    if (refusals === undefined) return;
    notify(this.name, 'limiter', () => limiter?.onReject?.((error) => refusals.tell(error)));
  }

  tryAcquire(key: string, _cost: number, options: AcquireOptions): Lease | undefined {
    return this.#limiterOf(key)?.tryAcquire(options);
  }

  async acquire(key: string, cost: number, options: AcquireOptions): Promise<Lease> {
    return this.#need(key, cost).acquire(options);
  }

  take(key: string, _cost: number, options: AcquireOptions): Decision {
    const limiter = this.#limiterOf(key);
    if (limiter !== undefined) return limiter.take(options);
    return {
      ...this.peek(key),
      remaining: 0,
      allowed: false,
      retryAfterMs: undefined,
      lease: undefined,
    };
  }

  peek(key: string): LimitState {
    const slot = this.#index.find(key);
    if (slot !== NONE) return this.#limiters[slot]!.peek();
    // To look at a key is no use of it, so its limiter is not kept.
    return this.#create(key).peek();
  }

  joined(key: string): JoinedLimit {
    const limiter: unknown = this.#limiterOf(key);
    if (limiter === undefined) return this.#withoutRoom(key);
    if (isJoinable(limiter)) return limiter.joined(key);
    throw new TypeError(
      `${this.name}: the limiter of this key cannot be asked together with others; rate limiters and concurrency can.`,
    );
  }

  /** For a key that there is no room for, which is counted already. */
  #withoutRoom(key: string): Member {
    return {
      name: this.name,
      capacity: Number.POSITIVE_INFINITY,
      queued: 0,
      full: true,
      watchers: new Watchers(),
      permits: undefined,
      delay: () => undefined,
      tryTake: () => false,
      leaseOf: (cost) => new UnitLease(cost, { name: this.name, correct: () => undefined }, 0),
      peek: () => this.peek(key),
      count: () => undefined,
      tell: (error) => this.#refusals?.tell(error),
    };
  }

  async runInCall<T>(key: string, operation: Operation<T>, call: Call): Promise<T> {
    const limiter = this.#need(key, call.cost);
    return typeof (limiter as Partial<InCallExecutor>).runInCall === 'function'
      ? (limiter as Limiter & InCallExecutor).runInCall(operation, call)
      : limiter.execute(operation, { parent: call });
  }

  /** The limiter of a key. @throws {RateLimitExceededError} when there is no room for the key */
  #need(key: string, cost: number): Limiter {
    const limiter = this.#limiterOf(key);
    if (limiter !== undefined) return limiter;
    const error = noRoom(this.name, this.#index.size, cost);
    this.#refusals?.tell(error);
    throw error;
  }

  /** The limiter of a key, created if the key is new; `undefined` when there is no room for it. */
  #limiterOf(key: string): Limiter | undefined {
    const now = this.#options.clock.monotonic();
    const slot = this.#index.find(key);
    if (slot === NONE) return this.#add(key, now);
    this.#index.touch(slot, now);
    return this.#limiters[slot];
  }

  #add(key: string, now: number): Limiter | undefined {
    // Before anything is removed: a factory that throws must leave all as it was.
    const limiter = this.#create(key);
    this.#removeIdle(now, 2);
    if (this.#index.full && !this.#makeRoom(now)) {
      this.#counts.refused.keys++;
      return undefined;
    }
    this.#limiters[this.#index.add(key, now)] = limiter;
    this.#hear(limiter);
    return limiter;
  }

  #create(key: string): Limiter {
    const limiter = this.#options.create(key);
    try {
      checkLimiter(this.name, limiter);
    } catch (error) {
      // What an asynchronous function rejects with would be nobody's otherwise.
      notify(this.name, 'limiter', () => limiter);
      throw error;
    }
    const owner = this.#owners.get(limiter);
    const kept = boundedKey(key);
    if (owner !== undefined && owner !== kept) {
      throw new TypeError(
        `${this.name}: the limiter function returned the same limiter for two keys. Create a new one in each call, or pass { template: … } for one rate limit that every key has by itself.`,
      );
    }
    this.#owners.set(limiter, kept);
    if (hasRule(limiter)) {
      this.#idleMs = Math.max(
        this.#idleMs,
        idleTime(this.name, this.#options.idleMs, limiter.rule.freshAfterMs),
      );
    }
    // The keys are observed together; the limiters count under their own name.
    notify(this.name, 'limiter', () => (limiter as Partial<Disposable>)[Symbol.dispose]?.());
    return limiter;
  }

  /**
   * Removes the first of the keys used longest ago that loses nothing, or the one that loses least. Keys
   * in use are passed over.
   */
  #makeRoom(now: number): boolean {
    let victim = NONE;
    let most = Number.NEGATIVE_INFINITY;
    let slot = this.#index.oldest;
    for (let seen = 0; seen < MAX_SEEN && slot !== NONE; seen++) {
      const next = this.#index.newer(slot);
      if (this.#inUse(slot)) {
        this.#index.touch(slot, now);
      } else {
        const share = this.#unused(slot);
        if (share > most) {
          victim = slot;
          most = share;
        }
        if (share >= 1) break;
      }
      slot = next;
    }
    if (victim === NONE) return false;
    this.#remove(victim);
    this.#counts.evicted.evictions++;
    return true;
  }

  /** Which part of its limit a limiter has left. Of a foreign one that cannot say, all. */
  #unused(slot: number): number {
    let share = 1;
    notify(this.name, 'limiter', () => {
      const { remaining, limit } = this.#limiters[slot]!.peek();
      if (remaining < limit) share = remaining / limit;
    });
    return share;
  }

  #removeIdle(now: number, most: number): void {
    for (let left = most; left > 0; left--) {
      const { oldest } = this.#index;
      if (oldest === NONE || now - this.#index.usedAt(oldest) < this.#idleMs) return;
      if (this.#inUse(oldest)) this.#index.touch(oldest, now);
      else this.#remove(oldest);
    }
  }

  #remove(slot: number): void {
    addCounts(this.#removed, statsOf(this.name, this.#limiters[slot]!));
    this.#limiters[slot] = undefined;
    this.#index.remove(slot);
  }

  /** Whether calls wait for a limiter or hold permits of it: they would be lost with it. */
  #inUse(slot: number): boolean {
    const { queued, inFlight } = statsOf(this.name, this.#limiters[slot]!);
    return queued > 0 || inFlight > 0;
  }

  forget(key: string): boolean {
    const slot = this.#index.find(key);
    if (slot === NONE || this.#inUse(slot)) return false;
    this.#remove(slot);
    return true;
  }

  change(key: string, change: RateChange): void {
    if (change.kind === 'reset' && this.#index.find(key) === NONE) return;
    const limiter = this.#controlled(this.#need(key, 1));
    if (change.kind === 'reset') limiter.reset();
    else if (change.kind === 'block') limiter.block(change.durationMs);
    else if (change.units < 0) limiter.reward(-change.units);
    else limiter.penalty(change.units);
  }

  dump(): KeyDump[] {
    return [...this.#index.entries()].flatMap(([key, slot]) =>
      this.#controlled(this.#limiters[slot]!)
        .dump()
        .keys.map(({ used, blockedMs }) => ({ key, used, blockedMs })),
    );
  }

  restore(keys: readonly KeyDump[]): void {
    for (const { key, used, blockedMs } of keys) {
      const limiter = this.#limiterOf(key!);
      if (limiter === undefined) continue;
      this.#controlled(limiter).restore(dumpOf(this.#options.clock, [{ used, blockedMs }]));
    }
  }

  /** @throws {TypeError} unless it is a rate limiter */
  #controlled(limiter: Limiter): RateLimiter {
    const found = limiter as Partial<RateLimiter>;
    if (CONTROLS.every((name) => typeof found[name] === 'function')) return limiter as RateLimiter;
    throw new TypeError(
      `${this.name}: only rate limiters (tokenBucket, gcra, slidingWindow, fixedWindow) can be reset, blocked, charged, dumped and restored; the limiter of this key is none.`,
    );
  }

  stats(): KeyedStats {
    this.#removeIdle(this.#options.clock.monotonic(), this.#index.size);
    const counts = { ...this.#removed };
    let queued = 0;
    for (const limiter of this.#limiters) {
      if (limiter !== undefined) queued += addCounts(counts, statsOf(this.name, limiter));
    }
    counts.rejected += this.#counts.refused.keys;
    return { keys: this.#index.size, evictions: this.#counts.evicted.evictions, queued, ...counts };
  }
}

/** What is read of the statistics of a limiter. */
type Stats = RequestCounts & { readonly queued: number; readonly inFlight: number };

/** The statistics of a limiter. What a foreign one does not report, or not as a count, is 0. */
function statsOf(owner: string, limiter: Limiter): Stats {
  let stats: Stats = NO_STATS;
  notify(owner, 'limiter', () => {
    const reported: unknown = limiter.stats();
    const found = (reported ?? {}) as Partial<Record<keyof Stats, unknown>>;
    stats = {
      allowed: countOf(found.allowed),
      delayed: countOf(found.delayed),
      rejected: countOf(found.rejected),
      aborted: countOf(found.aborted),
      queued: countOf(found.queued),
      inFlight: countOf(found.inFlight),
    };
    return reported;
  });
  return stats;
}

const NO_STATS: Stats = {
  allowed: 0,
  delayed: 0,
  rejected: 0,
  aborted: 0,
  queued: 0,
  inFlight: 0,
};

function countOf(value: unknown): number {
  return typeof value === 'number' && value >= 0 && value < Number.POSITIVE_INFINITY ? value : 0;
}

/** Adds what a limiter has counted. @returns how many calls wait for it */
function addCounts(
  counts: { -readonly [K in keyof RequestCounts]: number },
  { allowed, delayed, rejected, aborted, queued }: Stats,
): number {
  counts.allowed += allowed;
  counts.delayed += delayed;
  counts.rejected += rejected;
  counts.aborted += aborted;
  return queued;
}

function checkLimiter(owner: string, value: unknown): asserts value is Limiter {
  const limiter = value as Record<string | symbol, unknown> | null | undefined;
  if (METHODS.some((method) => typeof limiter?.[method] !== 'function')) {
    throw new TypeError(
      `${owner}: the limiter function must return a limiter, got ${show(value)}.`,
    );
  }
  if (limiter?.[KEYED_BY_ITSELF] === true) {
    throw new TypeError(
      `${owner}: the limiter function returned a limiter that is keyed by itself (a shared or keyed one). Use that limiter directly: its methods take { key }.`,
    );
  }
}
