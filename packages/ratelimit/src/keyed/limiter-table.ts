import type { Clock } from '@temper/core';
import { RateLimitExceededError } from './errors.ts';
import type { Keyable, KeyedStats, KeyTable } from './keyed-options.ts';
import type { Lease, Limiter, Quota } from './limiter.ts';
import { LruIndex } from './lru-index.ts';
import { type Books, type MutableCounts, noCounts } from './queued-limiter.ts';
import { type LimiterMeter, limiterMeter } from './telemetry.ts';

/** What {@link KeyedObjects} is told besides the factory. */
export interface KeyedObjectSettings {
  readonly name: string;
  readonly maxKeys: number;
  readonly idleMs: number;
  readonly clock: Clock;
  /** Where to count, when this is part of another limiter. */
  readonly books?: Books;
}

const NONE = -1;

/** How many keys in use are passed over in search of one that can be forgotten. */
const LOOK_AT_MOST = 64;

/** Limiters by key that are kept as they are: bulkheads, adaptive ones, a user's own. */
export class KeyedObjects implements KeyTable {
  readonly #index: LruIndex;
  readonly #limiters: (Keyable | undefined)[] = [];
  readonly #factory: (key: string) => Keyable;
  readonly #settings: KeyedObjectSettings;
  readonly #meter: LimiterMeter;
  /** What forgotten limiters had counted. */
  readonly #counts: MutableCounts = noCounts();
  /** The limiter that the factory made to begin with, until a key has it. */
  #first: Keyable | undefined;
  #evictions = 0;

  constructor(first: Keyable, factory: (key: string) => Keyable, settings: KeyedObjectSettings) {
    this.#first = first;
    this.#factory = factory;
    this.#settings = settings;
    this.#index = new LruIndex(settings.maxKeys);
    this.#meter = settings.books?.meter ?? limiterMeter(settings.name);
  }

  tryAcquire(key: string, cost?: number): boolean | Lease | undefined {
    return this.#limiterOf(key)?.tryAcquire(cost);
  }

  limiter(key: string): Limiter {
    const limiter = this.#limiterOf(key);
    if (limiter !== undefined) return limiter;
    throw new RateLimitExceededError(this.#settings.name, {
      reason: 'keys',
      limit: this.#index.size,
      remaining: 0,
      retryAfterMs: undefined,
      cost: 1,
    });
  }

  quota(key: string): Quota {
    const slot = this.#index.find(key);
    return slot === NONE ? this.limiter(key).quota() : this.#limiters[slot]!.quota();
  }

  #limiterOf(key: string): Keyable | undefined {
    const now = this.#settings.clock.monotonic();
    const slot = this.#index.find(key);
    if (slot === NONE) return this.#add(key, now);
    this.#index.touch(slot, now);
    return this.#limiters[slot];
  }

  #add(key: string, now: number): Keyable | undefined {
    this.#forgetIdle(now, 2);
    if (this.#index.full && !this.#makeRoom(now)) {
      this.#counts.rejected++;
      this.#meter.rejected('keys').value++;
      return undefined;
    }
    const limiter = this.#first ?? this.#factory(key);
    this.#first = undefined;
    // All keys are told of together; of each its totals are counted, under one name.
    limiter[Symbol.dispose]();
    this.#limiters[this.#index.add(key, now)] = limiter;
    return limiter;
  }

  #makeRoom(now: number): boolean {
    for (let looked = 0; looked < Math.min(LOOK_AT_MOST, this.#index.size); looked++) {
      const { oldest } = this.#index;
      if (inUse(this.#limiters[oldest]!)) {
        this.#index.touch(oldest, now);
      } else {
        this.#remove(oldest);
        this.#evictions++;
        this.#meter.evictions().value++;
        return true;
      }
    }
    return false;
  }

  #forgetIdle(now: number, most: number): void {
    for (let left = most; left > 0; left--) {
      const { oldest } = this.#index;
      if (oldest === NONE || now - this.#index.usedAt(oldest) < this.#settings.idleMs) return;
      if (inUse(this.#limiters[oldest]!)) this.#index.touch(oldest, now);
      else this.#remove(oldest);
    }
  }

  #remove(slot: number): void {
    const { allowed, delayed, rejected, aborted } = this.#limiters[slot]!.stats();
    this.#counts.allowed += allowed;
    this.#counts.delayed += delayed;
    this.#counts.rejected += rejected;
    this.#counts.aborted += aborted;
    this.#limiters[slot] = undefined;
    this.#index.remove(slot);
  }

  forget(key: string): boolean {
    const slot = this.#index.find(key);
    if (slot === NONE || inUse(this.#limiters[slot]!)) return false;
    this.#remove(slot);
    return true;
  }

  stats(): KeyedStats {
    this.#forgetIdle(this.#settings.clock.monotonic(), this.#index.size);
    const counts = { ...this.#counts };
    let queued = 0;
    for (const limiter of this.#limiters) {
      if (limiter === undefined) continue;
      const stats = limiter.stats();
      counts.allowed += stats.allowed;
      counts.delayed += stats.delayed;
      counts.rejected += stats.rejected;
      counts.aborted += stats.aborted;
      queued += stats.queued;
    }
    return { keys: this.#index.size, evictions: this.#evictions, queued, ...counts };
  }
}

/** Somebody waits for it or holds a permit of it: forgetting it would lose count of them. */
function inUse(limiter: Keyable): boolean {
  const { queued, inFlight = 0 } = limiter.stats();
  return queued > 0 || inFlight > 0;
}
