import type { CallContext, Operation } from '@temper/core';
import { invoke } from '../invoke.ts';
import type { KeyedRates } from '../keyed-rates.ts';
import { leaseOf } from '../lease.ts';
import type { Lease, Limiter, Verdict } from '../limiter.ts';
import { checkCost } from '../options.ts';
import { AskQueue, type Desk, type Reply, type Ticket } from './ask-queue.ts';
import { localRates } from './local-share.ts';
import {
  type ResolvedSharedOptions,
  resolveSharedRateLimit,
  type SharedRateLimitOptions,
} from './options.ts';
import {
  type SharedLimiter,
  SharedPolicy,
  StoreFailure,
  type Turn,
  type Turned,
} from './shared-policy.ts';
import type { StoreRule, TakeAsk, TakeResult } from './store.ts';

/** A rate limit that several processes share. */
export interface SharedRateLimiter extends SharedLimiter {
  /**
   * Takes units if they can be had now.
   *
   * @throws {TypeError | RangeError} (as a rejection) when the cost is not a finite number > 0
   * @throws {RateLimitExceededError} (as a rejection) when the cost can never fit
   * @throws {StoreUnavailableError} (as a rejection) as {@link SharedLimiter.acquire}
   */
  tryAcquire(key?: string, cost?: number): Promise<boolean>;
}

/** Units that were taken from the store, to be used when their time has come. */
interface Grant {
  readonly waitMs: number;
  readonly receipt: string;
}

class SharedRates extends SharedPolicy implements SharedRateLimiter {
  readonly #rule: StoreRule;
  readonly #scheduled: boolean;
  readonly #capacity: number;
  readonly #queues = new Map<string, AskQueue<Grant>>();
  #local: { readonly nodes: number; readonly rates: KeyedRates } | undefined;

  constructor(options: ResolvedSharedOptions & { readonly rule: StoreRule }) {
    super(options);
    this.#rule = options.rule;
    this.#scheduled = 'burst' in options.rule;
    this.#capacity = 'burst' in options.rule ? options.rule.burst : options.rule.limit;
  }

  protected get limit(): number {
    return this.#rule.limit;
  }

  protected checkCost(cost: number): void {
    checkCost(this.name, cost, this.#capacity);
  }

  async tryAcquire(key?: string, cost?: number): Promise<boolean> {
    return (await this.check(key, cost)).allowed;
  }

  protected async ask({ key, cost, deadline, signal }: Turn): Promise<Turned> {
    const { grant, waited } = await this.#queueOf(key).join(cost, deadline, signal);
    if (grant.waitMs > 0) await this.#hold(key, cost, grant, signal);
    return { lease: leaseOf(cost), waited: waited || grant.waitMs > 0 };
  }

  /** Waits until the time has come for units that are taken already. */
  #hold(
    key: string,
    cost: number,
    { waitMs, receipt }: Grant,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.alarm.clear(entry);
        this.room.leave();
        this.#giveBack(key, cost, receipt);
        reject(signal?.reason);
      };
      const entry = this.alarm.set(this.clock.monotonic() + waitMs, () => {
        signal?.removeEventListener('abort', onAbort);
        this.room.leave();
        resolve();
      });
      // It may have happened between the answer and this.
      if (signal?.aborted) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #queueOf(key: string): AskQueue<Grant> {
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      queue = new AskQueue(this.clock, this.alarm, this.room, this.#deskFor(key));
      this.#queues.set(key, queue);
    }
    return queue;
  }

  #deskFor(key: string): Desk<Grant> {
    return {
      ask: async (tickets, now) => {
        let free = this.room.free;
        const asks = tickets.map(({ cost, deadline }): TakeAsk => {
          // Only as many are given a place ahead of time as may wait for it.
          const maxWaitMs = this.#scheduled && free-- > 0 ? Math.max(0, deadline - now) : 0;
          return { cost, maxWaitMs };
        });
        const { answers } = await this.#take(key, asks);
        return answers.map((answer, i) => this.#replyTo(key, tickets[i]!, answer));
      },
      refusal: (reason, { cost }, retryAfterMs) => this.refusal(reason, cost, retryAfterMs),
      unused: ({ cost }, { receipt }) => this.#giveBack(key, cost, receipt),
      emptied: () => this.#queues.delete(key),
    };
  }

  #replyTo(
    key: string,
    ticket: Ticket<Grant>,
    answer: TakeResult['answers'][number],
  ): Reply<Grant> {
    if (!answer.taken) {
      const { retryAfterMs } = answer;
      if (!this.#scheduled) return { kind: 'later', retryAfterMs };
      const reason = this.room.free === 0 ? 'queue-full' : 'deadline';
      return { kind: 'refused', reason, retryAfterMs };
    }
    const { waitMs, receipt } = answer;
    if (waitMs > 0 && !ticket.done && !this.room.enter()) {
      this.#giveBack(key, ticket.cost, receipt);
      return { kind: 'refused', reason: 'queue-full', retryAfterMs: waitMs };
    }
    return { kind: 'granted', grant: { waitMs, receipt } };
  }

  async #take(key: string, asks: readonly TakeAsk[]): Promise<TakeResult> {
    try {
      return await this.shared.store.take({ limiter: this.name, key, rule: this.#rule, asks });
    } catch (error) {
      throw new StoreFailure(error);
    }
  }

  #giveBack(key: string, cost: number, receipt: string): void {
    if (!this.#scheduled) return;
    const request = { limiter: this.name, key, rule: this.#rule, cost, receipt };
    // Units that are lost cost throughput and nothing else; the next question meets the same failure.
    this.shared.store.giveBack(request).catch(() => undefined);
  }

  protected async askNow(key: string, cost: number): Promise<Verdict> {
    const { limit, windowMs } = this.#rule;
    if (!this.#scheduled && this.#queues.get(key)?.contended === true) {
      // Those who wait come first.
      const nothing = { remaining: 0, resetMs: undefined, retryAfterMs: undefined };
      return { allowed: false, limit, windowMs, lease: undefined, ...nothing };
    }
    const { answers, remaining, resetMs } = await this.#take(key, [{ cost, maxWaitMs: 0 }]);
    const [answer] = answers;
    const allowed = answer?.taken === true;
    const retryAfterMs = answer === undefined || answer.taken ? 0 : answer.retryAfterMs;
    const lease = allowed ? leaseOf(cost) : undefined;
    return { allowed, limit, windowMs, remaining, resetMs, retryAfterMs, lease };
  }

  protected local(key: string): Limiter {
    const { nodes } = this.fleet;
    if (this.#local?.nodes !== nodes) {
      this.#local = { nodes, rates: localRates(this.#rule, nodes, this.shared) };
    }
    return this.#local.rates.limiter(key);
  }

  protected get localQueued(): number {
    return this.#local?.rates.stats().queued ?? 0;
  }

  protected free(cost: number): Verdict & { readonly lease: Lease } {
    const { limit, windowMs } = this.#rule;
    const open = { allowed: true, remaining: limit, resetMs: undefined, retryAfterMs: 0 };
    return { ...open, limit, windowMs, lease: leaseOf(cost) };
  }

  protected run<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    return invoke(operation, context);
  }
}

/**
 * Makes a rate limit that several processes share through a store.
 *
 * ```ts
 * const api = sharedRateLimit({
 *   name: 'api',
 *   store: redisStore({ client }),
 *   limit: 1000,
 *   windowMs: 1000,
 * });
 * await api.execute(() => call(), { key: tenant, deadlineMs: 500 });
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown, out of range or of another algorithm
 */
export function sharedRateLimit(options: SharedRateLimitOptions): SharedRateLimiter {
  return new SharedRates(resolveSharedRateLimit('sharedRateLimit', options));
}
