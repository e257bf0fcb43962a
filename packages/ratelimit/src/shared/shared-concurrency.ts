import { randomUUID } from 'node:crypto';
import { type CallContext, checkNumber, type Operation } from '@temper/core';
import { invoke } from '../invoke.ts';
import type { KeyedObjects } from '../keyed-objects.ts';
import { leaseOf } from '../lease.ts';
import type { Lease, Limiter, Verdict } from '../limiter.ts';
import { checkCost } from '../options.ts';
import type { Levels } from '../telemetry.ts';
import { AskQueue, type Desk, type Reply, type Ticket } from './ask-queue.ts';
import { localBulkheads } from './local-share.ts';
import {
  type ResolvedSharedOptions,
  resolveSharedConcurrency,
  type SharedConcurrencyOptions,
} from './options.ts';
import { LeaseRenewal } from './renewal.ts';
import type { SharedStats } from './shared-books.ts';
import {
  type SharedLimiter,
  SharedPolicy,
  StoreFailure,
  type Turn,
  type Turned,
} from './shared-policy.ts';
import type { PermitResult } from './store.ts';

/** A bulkhead that several processes share. */
export interface SharedConcurrencyLimiter extends SharedLimiter {
  /**
   * Takes whole permits if they are free now.
   *
   * @returns the lease that gives them back, undefined when refused
   * @throws {TypeError | RangeError} (as a rejection) when the cost is not an integer > 0
   * @throws {RateLimitExceededError} (as a rejection) when the cost is more than the limit
   * @throws {StoreUnavailableError} (as a rejection) as {@link SharedLimiter.acquire}
   */
  tryAcquire(key?: string, cost?: number): Promise<Lease | undefined>;
  stats(): SharedStats & { readonly inFlight: number };
}

/** What names the leases of this process. */
const PROCESS = randomUUID();
let leases = 0;

/** Permits of the fleet that this process holds. */
class FleetLease implements Lease {
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

interface Options extends ResolvedSharedOptions {
  readonly limit: number;
  readonly leaseMs: number;
  readonly askAgainMs: number;
}

class SharedBulkhead extends SharedPolicy implements SharedConcurrencyLimiter {
  readonly #options: Options;
  readonly #queues = new Map<string, AskQueue<string>>();
  readonly #renewal: LeaseRenewal;
  #inFlight = 0;
  #local: { readonly nodes: number; readonly bulkheads: KeyedObjects } | undefined;

  constructor(options: Options) {
    super(options);
    this.#options = options;
    this.#renewal = new LeaseRenewal(options.store, this.name, options.leaseMs, this.clock);
  }

  protected get limit(): number {
    return this.#options.limit;
  }

  protected checkCost(cost: number): void {
    checkNumber(this.name, 'cost', cost, { min: 1, integer: true, infinite: false });
    checkCost(this.name, cost, this.limit);
  }

  async tryAcquire(key?: string, cost?: number): Promise<Lease | undefined> {
    return (await this.check(key, cost)).lease;
  }

  protected async ask({ key, cost, deadline, signal }: Turn): Promise<Turned> {
    const { grant, waited } = await this.#queueOf(key).join(cost, deadline, signal);
    return { lease: this.#lease(key, grant, cost), waited };
  }

  #queueOf(key: string): AskQueue<string> {
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = new AskQueue(this.clock, this.alarm, this.room, this.#deskFor(key));
      this.#queues.set(key, queue);
    }
    return queue;
  }

  #deskFor(key: string): Desk<string> {
    return {
      ask: (tickets) => this.#askInTurn(key, tickets),
      refusal: (reason, { cost }) => this.refusal(reason, cost, undefined),
      unused: (_, lease) => this.#giveBack(key, lease),
      emptied: () => this.#queues.delete(key),
    };
  }

  /** One after the other, until one is refused: those behind wait with it. */
  async #askInTurn(key: string, tickets: readonly Ticket<string>[]): Promise<Reply<string>[]> {
    const replies: Reply<string>[] = [];
    let later: Reply<string> | undefined;
    for (const { cost } of tickets) {
      if (later !== undefined) {
        replies.push(later);
        continue;
      }
      try {
        const { lease, result } = await this.#take(key, cost);
        if (!result.granted) later = { kind: 'later', retryAfterMs: this.#askAgain(result) };
        replies.push(later ?? { kind: 'granted', grant: lease });
      } catch (error) {
        for (const reply of replies) if (reply.kind === 'granted') this.#giveBack(key, reply.grant);
        throw error;
      }
    }
    return replies;
  }

  /** Nobody tells when another process gives a permit back; but a lease that expires is foreseen. */
  #askAgain({ expiryMs }: PermitResult): number {
    const { askAgainMs } = this.#options;
    return expiryMs > 0 ? Math.min(askAgainMs, Math.max(1, expiryMs)) : askAgainMs;
  }

  async #take(key: string, cost: number): Promise<{ lease: string; result: PermitResult }> {
    const lease = `${PROCESS}:${++leases}`;
    const { limit, leaseMs } = this.#options;
    const request = { limiter: this.name, key, lease, cost, limit, leaseMs };
    try {
      return { lease, result: await this.shared.store.takePermits(request) };
    } catch (error) {
      // It may have been granted, and only the answer be lost.
      this.#giveBack(key, lease);
      throw new StoreFailure(error);
    }
  }

  #lease(key: string, lease: string, cost: number): Lease {
    this.#inFlight += cost;
    this.#renewal.add(key, lease);
    return new FleetLease(cost, () => {
      this.#inFlight -= cost;
      this.#renewal.remove(key, lease);
      this.#giveBack(key, lease);
    });
  }

  #giveBack(key: string, lease: string): void {
    this.shared.store.returnPermits({ limiter: this.name, key, lease }).then(
      () => this.#queues.get(key)?.wake(),
      // It expires by itself.
      () => undefined,
    );
  }

  protected async askNow(key: string, cost: number): Promise<Verdict> {
    const told = { limit: this.limit, windowMs: undefined, resetMs: undefined };
    const refused = { allowed: false, retryAfterMs: undefined, lease: undefined, ...told };
    // Those who wait come first.
    if (this.#queues.get(key)?.contended === true) return { ...refused, remaining: 0 };
    const { lease, result } = await this.#take(key, cost);
    const remaining = Math.max(0, this.limit - result.inUse);
    if (!result.granted) return { ...refused, remaining };
    return {
      ...told,
      allowed: true,
      retryAfterMs: 0,
      remaining,
      lease: this.#lease(key, lease, cost),
    };
  }

  protected local(key: string): Limiter {
    const { nodes } = this.fleet;
    if (this.#local?.nodes !== nodes) {
      this.#local = { nodes, bulkheads: localBulkheads(this.limit, nodes, this.shared) };
    }
    return this.#local.bulkheads.limiter(key);
  }

  protected get localQueued(): number {
    return this.#local?.bulkheads.stats().queued ?? 0;
  }

  protected free(cost: number): Verdict & { readonly lease: Lease } {
    const told = { limit: this.limit, windowMs: undefined, remaining: this.limit };
    return { ...told, allowed: true, resetMs: undefined, retryAfterMs: 0, lease: leaseOf(cost) };
  }

  protected async run<T>(operation: Operation<T>, context: CallContext, lease: Lease): Promise<T> {
    try {
      return await invoke(operation, context);
    } finally {
      lease.release();
    }
  }

  override levels(): Levels {
    return { ...super.levels(), inFlight: this.#inFlight };
  }

  override stats(): SharedStats & { readonly inFlight: number } {
    return { ...super.stats(), inFlight: this.#inFlight };
  }
}

/**
 * Makes a bulkhead that several processes share through a store. Permits are leases: those of a
 * process that dies are free again after `leaseMs`.
 *
 * ```ts
 * const reports = sharedConcurrency({ name: 'reports', store: redisStore({ client }), limit: 5 });
 * await reports.execute(() => build());
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function sharedConcurrency(options: SharedConcurrencyOptions): SharedConcurrencyLimiter {
  return new SharedBulkhead(resolveSharedConcurrency('sharedConcurrency', options));
}
