import { randomUUID } from 'node:crypto';
import { checkNumber } from '@temper/core/policy';
import type { Lease, LimitState, SharedLimiter } from '../limiter.ts';
import {
  type Answer,
  ignoringFailure,
  type SharedBackend,
  SharedParts,
  StoreFailure,
  type Turn,
  type TurnRequest,
} from './backend.ts';
import { type BatchHandler, BatchQueue, type QueuedCall, type Reply } from './batch-queue.ts';
import { LeaseRenewal } from './lease-renewal.ts';
import { LocalLimits, localConcurrency } from './local-limits.ts';
import {
  type ResolvedSharedConcurrency,
  resolveSharedConcurrency,
  type SharedConcurrencyOptions,
} from './options.ts';
import { SharedPolicy } from './shared-limiter.ts';
import type { PermitResult } from './store.ts';
import { readPermits } from './store-replies.ts';
import type { SharedStats } from './telemetry.ts';

/** {@link SharedStats} of a concurrency limit. */
export interface SharedConcurrencyStats extends SharedStats {
  /** Permits of the store that this process holds. */
  readonly inFlight: number;
}

/** A limit on how many calls run at the same time in several processes. Costs are whole numbers. */
export interface SharedConcurrencyLimiter extends SharedLimiter {
  stats(): SharedConcurrencyStats;
}

/** Distinguishes the leases of this process from those of others. */
const PROCESS = randomUUID();
let leases = 0;

/** Permits of the store that this process holds until it gives them back. */
class StoreLease implements Lease {
  readonly cost: number;
  #giveBack: (() => void) | undefined;

  constructor(cost: number, giveBack: () => void) {
    this.cost = cost;
    this.#giveBack = giveBack;
  }

  release(): void {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    giveBack?.();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** Permits in a store. */
class PermitBackend implements SharedBackend<{ readonly inFlight: number }> {
  readonly capacity: number;
  readonly local: LocalLimits;
  readonly #options: ResolvedSharedConcurrency;
  readonly #parts: SharedParts;
  readonly #renewal: LeaseRenewal;
  readonly #queues = new Map<string, BatchQueue<string>>();
  #inFlight = 0;

  constructor(options: ResolvedSharedConcurrency, parts: SharedParts) {
    const { limit, store, name, leaseMs, clock } = options;
    this.capacity = limit;
    this.#options = options;
    this.#parts = parts;
    this.#renewal = new LeaseRenewal(store, name, leaseMs, clock);
    this.local = new LocalLimits(options, parts.nodes, (nodes, queue) =>
      localConcurrency(limit, nodes, queue),
    );
  }

  checkCost(cost: number): void {
    checkNumber(this.#options.name, 'cost', cost, { min: 1, integer: true, infinite: false });
  }

  async acquire({ key, cost, deadline, signal }: TurnRequest): Promise<Turn> {
    const { grant, waited } = await this.#queueOf(key).join(cost, deadline, signal);
    const lease = this.#lease(key, grant, cost);
    return { lease, waited, undo: () => lease.release() };
  }

  #queueOf(key: string): BatchQueue<string> {
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      const { timers, slots, options } = this.#parts;
      queue = new BatchQueue(options.clock, timers, slots, this.#handlerOf(key));
      this.#queues.set(key, queue);
    }
    return queue;
  }

  #handlerOf(key: string): BatchHandler<string> {
    return {
      request: (calls) => this.#request(key, calls),
      refusal: (reason, { cost }) => this.#parts.refusal(this.capacity, reason, cost, undefined),
      unused: (_, lease) => this.#giveBack(key, lease),
      emptied: () => this.#queues.delete(key),
    };
  }

  /** Takes permits for one call after another, until one is refused: those behind it wait too. */
  async #request(key: string, calls: readonly QueuedCall<string>[]): Promise<Reply<string>[]> {
    const replies: Reply<string>[] = [];
    let later: Reply<string> | undefined;
    for (const { cost } of calls) {
      if (later !== undefined) {
        replies.push(later);
        continue;
      }
      try {
        const { lease, result } = await this.#take(key, cost);
        if (!result.granted) later = { kind: 'later', retryAfterMs: this.#retryAfterMs(result) };
        replies.push(later ?? { kind: 'granted', grant: lease });
      } catch (error) {
        for (const reply of replies) if (reply.kind === 'granted') this.#giveBack(key, reply.grant);
        throw error;
      }
    }
    return replies;
  }

  /** Another process's permit comes back unannounced; only the expiry of a lease can be foreseen. */
  #retryAfterMs({ expiryMs }: PermitResult): number {
    const { pollIntervalMs } = this.#options;
    return expiryMs > 0 ? Math.min(pollIntervalMs, Math.max(1, expiryMs)) : pollIntervalMs;
  }

  async #take(key: string, cost: number): Promise<{ lease: string; result: PermitResult }> {
    const lease = `${PROCESS}:${++leases}`;
    const { limit, leaseMs, name: limiter, store } = this.#options;
    const request = { limiter, key, lease, cost, limit, leaseMs };
    try {
      return { lease, result: readPermits(await store.takePermits(request)) };
    } catch (error) {
      // The permits may have been granted, and only the answer lost.
      if (cost > 0) this.#giveBack(key, lease);
      throw new StoreFailure(error);
    }
  }

  #lease(key: string, lease: string, cost: number): Lease {
    this.#inFlight += cost;
    this.#renewal.add(key, lease);
    return new StoreLease(cost, () => {
      this.#inFlight -= cost;
      this.#renewal.remove(key, lease);
      this.#giveBack(key, lease);
    });
  }

  /** A lease that is not given back, as the store is unavailable, expires by itself. */
  #giveBack(key: string, lease: string): void {
    const { store, name: limiter } = this.#options;
    void ignoringFailure(async () => {
      await store.returnPermits({ limiter, key, lease });
      this.#queues.get(key)?.wake();
    });
  }

  async take(key: string, cost: number): Promise<Answer> {
    const { limit } = this.#options;
    const state = { limit, windowMs: undefined, resetMs: undefined };
    const refused = { ...state, allowed: false, retryAfterMs: undefined, lease: undefined };
    if (this.#contended(key)) {
      return { decision: { ...refused, remaining: 0 }, undo: () => undefined };
    }
    const { lease: id, result } = await this.#take(key, cost);
    const remaining = Math.max(0, limit - result.inUse);
    if (!result.granted) return { decision: { ...refused, remaining }, undo: () => undefined };
    const lease = this.#lease(key, id, cost);
    return {
      decision: { ...state, allowed: true, retryAfterMs: 0, remaining, lease },
      undo: () => lease.release(),
    };
  }

  async peek(key: string): Promise<LimitState> {
    const { inUse } = (await this.#take(key, 0)).result;
    const remaining = this.#contended(key) ? 0 : Math.max(0, this.capacity - inUse);
    return { ...this.unused(), remaining, resetMs: inUse === 0 ? 0 : undefined };
  }

  #contended(key: string): boolean {
    return this.#queues.get(key)?.contended === true;
  }

  unused(): LimitState {
    return {
      limit: this.capacity,
      windowMs: undefined,
      remaining: this.capacity,
      resetMs: undefined,
    };
  }

  levels(): { readonly inFlight: number } {
    return { inFlight: this.#inFlight };
  }
}

/**
 * Creates a concurrency limit that several processes share through a store. Permits are leases: those
 * of a process that dies are free again after `leaseMs`.
 *
 * ```ts
 * const reports = sharedConcurrency({ name: 'reports', store: redisStore({ client }), limit: 5 });
 * await reports.execute(() => build());
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function sharedConcurrency(options: SharedConcurrencyOptions): SharedConcurrencyLimiter {
  const all = resolveSharedConcurrency(options);
  const parts = new SharedParts(all);
  return new SharedPolicy(new PermitBackend(all, parts), parts);
}
