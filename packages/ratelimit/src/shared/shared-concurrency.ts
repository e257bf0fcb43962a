import { checkNumber, randomId } from '@temper/core/policy';
import { type PermitPlan, RatePlans } from '../changes/rate-plans.ts';
import { boundedKey } from '../keyed/bounded-key.ts';
import type { LimitState } from '../limiter.ts';
import { lineOrder } from '../wait/line-order.ts';
import {
  type Answer,
  type LosableLease,
  type PartRequest,
  type SharedBackend,
  SharedParts,
  type Turn,
  type TurnRequest,
} from './backend.ts';
import { type BatchHandler, BatchQueue, type QueuedCall, type Reply } from './batch-queue.ts';
import type { SharedLimiter } from './contract.ts';
import type { LeaseLostError } from './errors.ts';
import { type HeldLease, LeaseRenewal } from './lease-renewal.ts';
import { LocalLimits, localConcurrency } from './local-limits.ts';
import {
  LIMIT_RULE,
  type ResolvedSharedConcurrency,
  resolveSharedConcurrency,
  type SharedConcurrencyOptions,
} from './options.ts';
import { SharedPolicy } from './shared-limiter.ts';
import type { PermitResult } from './store.ts';
import { ignoringFailure } from './store-access.ts';
import type { StorePart } from './store-part.ts';
import { permitsFit } from './store-replies.ts';
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
let processId: string | undefined;
let leases = 0;

/** Names a new lease. */
function leaseName(): string {
  processId ??= randomId();
  return `${processId}:${++leases}`;
}

/** Permits of the store that this process holds until it gives them back. */
class StoreLease implements LosableLease, HeldLease {
  readonly id: string;
  readonly cost: number;
  #giveBack: ((lease: StoreLease) => void) | undefined;
  /** Created when somebody asks for the signal. */
  #controller: AbortController | undefined;
  #lost: LeaseLostError | undefined;
  #watcher: ((error: LeaseLostError) => void) | undefined;

  constructor(id: string, cost: number, giveBack: (lease: StoreLease) => void) {
    this.id = id;
    this.cost = cost;
    this.#giveBack = giveBack;
    this.#controller = undefined;
    this.#lost = undefined;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#lost !== undefined) this.#controller.abort(this.#lost);
    }
    return this.#controller.signal;
  }

  lose(error: LeaseLostError): void {
    this.#lost = error;
    this.#watcher?.(error);
    this.#controller?.abort(error);
  }

  watch(lost: ((error: LeaseLostError) => void) | undefined): void {
    this.#watcher = lost;
    if (this.#lost !== undefined) lost?.(this.#lost);
  }

  release(): void {
    const giveBack = this.#giveBack;
    this.#giveBack = undefined;
    giveBack?.(this);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** Permits in a store. */
class PermitBackend implements SharedBackend<{ readonly inFlight: number }> {
  readonly kind = 'permits' as const;
  readonly local: LocalLimits<number>;
  readonly #options: ResolvedSharedConcurrency;
  readonly #parts: SharedParts;
  readonly #renewal: LeaseRenewal;
  readonly #queues = new Map<string, BatchQueue<StoreLease>>();
  readonly #plans: RatePlans | undefined;
  #inFlight = 0;

  constructor(options: ResolvedSharedConcurrency, parts: SharedParts) {
    this.#options = options;
    this.#parts = parts;
    const { name, plan } = options;
    this.#plans = plan && new RatePlans(name, plan, 'concurrency', { limit: LIMIT_RULE });
    this.#renewal = new LeaseRenewal(options, parts.store);
    this.local = new LocalLimits(
      options,
      parts.nodes,
      (key) => this.capacity(key),
      localConcurrency,
      Object.is,
    );
  }

  capacity(key: string): number {
    const plan: PermitPlan | undefined = key === '' ? undefined : this.#plans?.of(key);
    return plan?.limit ?? this.#options.limit;
  }

  checkCost(cost: number): void {
    checkNumber(this.#options.name, 'cost', cost, { min: 1, integer: true, infinite: false });
  }

  async acquire({ key, cost, deadline, signal, caller }: TurnRequest): Promise<Turn> {
    const { grant, waited } = await this.#queueOf(key).join(cost, deadline, signal, caller);
    return { lease: grant, waited, undo: () => grant.release() };
  }

  #queueOf(given: string): BatchQueue<StoreLease> {
    const key = boundedKey(given);
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      const { timers, slots, options } = this.#parts;
      const line = lineOrder(options.queue)?.createLine<QueuedCall<StoreLease>>(options.name);
      queue = new BatchQueue(options.clock, timers, slots, this.#handlerOf(given, key), line);
      this.#queues.set(key, queue);
    }
    return queue;
  }

  #handlerOf(given: string, key: string): BatchHandler<StoreLease> {
    const { pollIntervalMs } = this.#options;
    return {
      aheadMs: 0,
      spacingMs: 0,
      maxRetryMs: pollIntervalMs,
      request: (calls) => this.#request(given, calls),
      refusal: (reason, { cost }, retryAfterMs) => {
        const at = reason === 'cost' ? retryAfterMs : undefined;
        return this.#parts.refusal(this.capacity(given), reason, cost, at);
      },
      unused: (_, lease) => lease.release(),
      emptied: () => this.#queues.delete(key),
    };
  }

  async #request(
    key: string,
    calls: readonly QueuedCall<StoreLease>[],
  ): Promise<Reply<StoreLease>[]> {
    const costs = calls.map(({ cost }) => cost);
    const limit = this.capacity(key);
    const { granted, expiryMs } = await this.#take(key, limit, costs);
    const retryAfterMs = this.#retryMs(expiryMs);
    return calls.map(({ cost }, i): Reply<StoreLease> => {
      const grant = granted[i];
      if (cost > limit && grant === undefined) {
        return { kind: 'refused', reason: 'cost', retryAfterMs: Number.POSITIVE_INFINITY };
      }
      return grant === undefined ? { kind: 'later', retryAfterMs } : { kind: 'granted', grant };
    });
  }

  /** Takes permits for several calls at once. Their leases are renewed from here on. */
  async #take(
    given: string,
    limit: number,
    costs: readonly number[],
  ): Promise<Omit<PermitResult, 'granted'> & { readonly granted: readonly StoreLease[] }> {
    const key = boundedKey(given);
    const { leaseMs } = this.#options;
    const calls = costs.map((cost) => ({ lease: leaseName(), cost }));
    const giveAllBack = (): void => {
      const ids = calls.map(({ lease }) => lease);
      if (ids.length > 0) this.#giveBack(key, ids);
    };
    try {
      const options = { limit, leaseMs };
      const result = await this.#parts.store.takePermits(key, calls, options, giveAllBack);
      const granted = calls.slice(0, result.granted);
      return {
        ...result,
        granted: granted.map(({ lease, cost }) => this.#lease(given, lease, cost)),
      };
    } catch (error) {
      // The permits may have been granted, and only the answer lost.
      giveAllBack();
      throw error;
    }
  }

  #lease(given: string, id: string, cost: number): StoreLease {
    const key = boundedKey(given);
    const held = new StoreLease(id, cost, (lease) => {
      this.#inFlight -= cost;
      this.#renewal.remove(key, lease);
      this.#giveBack(key, [id]);
    });
    this.#inFlight += cost;
    this.#renewal.add(key, held, () => this.capacity(given));
    return held;
  }

  /** A lease that is not given back, as the store is unavailable, expires by itself. */
  #giveBack(key: string, ids: readonly string[]): void {
    const returned = this.#parts.store.returnPermits(key, ids, this.#options.leaseMs);
    void ignoringFailure(returned.then(() => this.#queues.get(key)?.wake()));
  }

  async take(key: string, cost: number): Promise<Answer> {
    const limit = this.capacity(key);
    const state = { limit, windowMs: undefined, resetMs: undefined };
    const refused = { ...state, allowed: false, retryAfterMs: undefined, lease: undefined };
    if (this.contended(key)) {
      return { decision: { ...refused, remaining: 0 }, undo: () => undefined };
    }
    const { granted, inUse, expiryMs } = await this.#take(key, limit, [cost]);
    const remaining = Math.max(0, limit - inUse);
    const [lease] = granted;
    if (lease === undefined) {
      const askAgainMs = this.#retryMs(expiryMs);
      return { decision: { ...refused, remaining }, undo: () => undefined, askAgainMs };
    }
    return {
      decision: { ...state, allowed: true, retryAfterMs: 0, remaining, lease },
      undo: () => lease.release(),
    };
  }

  partOf({ key: given, cost }: PartRequest): StorePart {
    const key = boundedKey(given);
    const { leaseMs, name: limiter } = this.#options;
    const limit = this.capacity(given);
    const id = leaseName();
    const request = { limiter, key, limit, leaseMs, calls: [{ lease: id, cost }] };
    return {
      kind: 'permits',
      request,
      answer: (result) => {
        const lease = result.granted === 1 ? this.#lease(given, id, cost) : undefined;
        const remaining = Math.max(0, limit - result.inUse);
        const allowed = lease !== undefined;
        const retryAfterMs = allowed ? 0 : undefined;
        const state = { limit, windowMs: undefined, remaining, resetMs: undefined };
        return {
          fits: allowed || permitsFit(request, result),
          decision: { ...state, allowed, retryAfterMs, lease },
          askAgainMs: this.#retryMs(result.expiryMs),
          undo: () => lease?.release(),
        };
      },
      lost: () => this.#giveBack(key, [id]),
    };
  }

  /** Another process's permit comes back unannounced; only the expiry of a lease can be foreseen. */
  #retryMs(expiryMs: number): number {
    const { pollIntervalMs } = this.#options;
    return expiryMs > 0 ? Math.min(pollIntervalMs, expiryMs) : pollIntervalMs;
  }

  async peek(key: string): Promise<LimitState> {
    const limit = this.capacity(key);
    const { inUse } = await this.#take(key, limit, []);
    const remaining = this.contended(key) ? 0 : Math.max(0, limit - inUse);
    return { limit, windowMs: undefined, remaining, resetMs: inUse === 0 ? 0 : undefined };
  }

  contended(key: string): boolean {
    return this.#queues.get(boundedKey(key))?.contended === true;
  }

  unused(key: string): LimitState {
    const limit = this.capacity(key);
    return { limit, windowMs: undefined, remaining: limit, resetMs: undefined };
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
