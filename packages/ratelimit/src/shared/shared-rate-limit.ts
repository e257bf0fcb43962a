import { leaseOf } from '../lease.ts';
import type { LimitState, SharedLimiter } from '../limiter.ts';
import type { Levels } from '../telemetry.ts';
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
import { LocalLimits, localRate } from './local-limits.ts';
import {
  type ResolvedSharedOptions,
  resolveSharedRateLimit,
  type SharedRateLimitOptions,
} from './options.ts';
import { SharedPolicy } from './shared-limiter.ts';
import type { StoreRule, TakeAnswer, TakeCall, TakeResult } from './store.ts';
import { ROUNDING_MS, readTake } from './store-replies.ts';
import type { SharedStats } from './telemetry.ts';

/** A rate limit that several processes share. */
export interface SharedRateLimiter extends SharedLimiter {
  stats(): SharedStats;
}

/** Units that were taken from the store, to be used after `waitMs`. */
interface Grant {
  readonly waitMs: number;
  readonly receipt: string;
}

/** A rate limit in a store. */
class RateBackend implements SharedBackend {
  readonly capacity: number;
  readonly local: LocalLimits;
  readonly #rule: StoreRule;
  /** Whether the store gives calls places ahead of time. */
  readonly #scheduled: boolean;
  readonly #parts: SharedParts;
  readonly #queues = new Map<string, BatchQueue<Grant>>();

  constructor(rule: StoreRule, parts: SharedParts) {
    this.#rule = rule;
    this.#scheduled = 'burst' in rule;
    this.capacity = 'burst' in rule ? rule.burst : rule.limit;
    this.#parts = parts;
    this.local = new LocalLimits(parts.options, parts.nodes, (nodes, options) =>
      localRate(rule, nodes, options),
    );
  }

  checkCost(): void {
    // Fractions are allowed, and whether the cost is a number > 0 was checked with the other options.
  }

  async acquire({ key, cost, deadline, signal }: TurnRequest): Promise<Turn> {
    const { grant, waited } = await this.#queueOf(key).join(cost, deadline, signal);
    if (grant.waitMs > 0) await this.#hold(key, cost, grant, signal);
    return {
      lease: leaseOf(cost),
      waited: waited || grant.waitMs > 0,
      undo: () => this.#giveBack(key, cost, grant.receipt),
    };
  }

  /** Waits until units that are taken already may be used. */
  #hold(
    key: string,
    cost: number,
    { waitMs, receipt }: Grant,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { timers, slots, options } = this.#parts;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        timers.clear(entry);
        slots.leave();
        this.#giveBack(key, cost, receipt);
        reject(signal?.reason);
      };
      const entry = timers.add(options.clock.monotonic() + waitMs, () => {
        signal?.removeEventListener('abort', onAbort);
        slots.leave();
        resolve();
      });
      // The signal may have aborted between the store's answer and this.
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  #queueOf(key: string): BatchQueue<Grant> {
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      const { timers, slots, options } = this.#parts;
      queue = new BatchQueue(options.clock, timers, slots, this.#handlerOf(key));
      this.#queues.set(key, queue);
    }
    return queue;
  }

  #handlerOf(key: string): BatchHandler<Grant> {
    return {
      request: (calls, now) => this.#request(key, calls, now),
      refusal: (reason, { cost }, retryAfterMs) =>
        this.#parts.refusal(this.#rule.limit, reason, cost, retryAfterMs),
      unused: ({ cost }, { receipt }) => this.#giveBack(key, cost, receipt),
      emptied: () => this.#queues.delete(key),
    };
  }

  async #request(
    key: string,
    calls: readonly QueuedCall<Grant>[],
    now: number,
  ): Promise<Reply<Grant>[]> {
    let free = this.#parts.slots.free;
    const { answers } = await this.#take(
      key,
      calls.map(({ cost, deadline }) => {
        // Only as many calls get a place ahead of time as there are free slots.
        const waits = this.#scheduled && free-- > 0;
        return { cost, maxWaitMs: waits ? Math.max(0, deadline - now) : 0 };
      }),
    );
    return answers.map((answer, i) => this.#replyTo(key, calls[i]!, answer));
  }

  #replyTo(key: string, call: QueuedCall<Grant>, answer: TakeAnswer): Reply<Grant> {
    const { slots, options } = this.#parts;
    if (!answer.taken) {
      const { retryAfterMs } = answer;
      if (!this.#scheduled) return { kind: 'later', retryAfterMs };
      return {
        kind: 'refused',
        reason: slots.free === 0 ? 'queue-full' : 'deadline',
        retryAfterMs,
      };
    }
    const { waitMs, receipt } = answer;
    // The store was told how long the call could wait when it was asked; its answer has taken time.
    if (waitMs > 0 && options.clock.monotonic() + waitMs > call.deadline + ROUNDING_MS) {
      this.#giveBack(key, call.cost, receipt);
      return { kind: 'refused', reason: 'deadline', retryAfterMs: waitMs };
    }
    if (waitMs > 0 && !call.done && !slots.tryEnter()) {
      this.#giveBack(key, call.cost, receipt);
      return { kind: 'refused', reason: 'queue-full', retryAfterMs: waitMs };
    }
    return { kind: 'granted', grant: { waitMs, receipt } };
  }

  async #take(key: string, calls: readonly TakeCall[]): Promise<TakeResult> {
    const { store, name: limiter } = this.#parts.options;
    try {
      return readTake(await store.take({ limiter, key, rule: this.#rule, calls }), calls);
    } catch (error) {
      throw new StoreFailure(error);
    }
  }

  #giveBack(key: string, cost: number, receipt: string): void {
    if (!this.#scheduled) return;
    const { store, name: limiter } = this.#parts.options;
    const request = { limiter, key, rule: this.#rule, cost, receipt };
    void ignoringFailure(async () => store.giveBack(request));
  }

  async take(key: string, cost: number): Promise<Answer> {
    const { limit, windowMs } = this.#rule;
    if (this.#contended(key)) {
      const none = { limit, windowMs, remaining: 0, resetMs: undefined };
      const refused = { ...none, allowed: false, retryAfterMs: undefined, lease: undefined };
      return { decision: refused, undo: () => undefined };
    }
    const { answers, remaining, resetMs } = await this.#take(key, [{ cost, maxWaitMs: 0 }]);
    const answer = answers[0]!;
    const state = { limit, windowMs, remaining, resetMs };
    return answer.taken
      ? {
          decision: { ...state, allowed: true, retryAfterMs: 0, lease: leaseOf(cost) },
          undo: () => this.#giveBack(key, cost, answer.receipt),
        }
      : {
          decision: {
            ...state,
            allowed: false,
            retryAfterMs: answer.retryAfterMs,
            lease: undefined,
          },
          undo: () => undefined,
        };
  }

  async peek(key: string): Promise<LimitState> {
    const { remaining, resetMs } = await this.#take(key, []);
    const { limit, windowMs } = this.#rule;
    return { limit, windowMs, remaining: this.#contended(key) ? 0 : remaining, resetMs };
  }

  /** Whether calls of this process wait for a window. With a schedule, the store knows their order. */
  #contended(key: string): boolean {
    return !this.#scheduled && this.#queues.get(key)?.contended === true;
  }

  unused(): LimitState {
    const { limit, windowMs } = this.#rule;
    return { limit, windowMs, remaining: Math.floor(this.capacity), resetMs: undefined };
  }

  levels(): Levels {
    return {};
  }
}

/**
 * Creates a rate limit that several processes share through a store.
 *
 * ```ts
 * const api = sharedRateLimit({
 *   name: 'api',
 *   store: redisStore({ client }),
 *   limit: 1000,
 *   windowMs: 1000,
 * });
 * await api.execute(() => call(), { key: tenant, timeoutMs: 500 });
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown, out of range or of another algorithm
 */
export function sharedRateLimit(options: SharedRateLimitOptions): SharedRateLimiter {
  const all: ResolvedSharedOptions & { readonly rule: StoreRule } = resolveSharedRateLimit(options);
  const parts = new SharedParts(all);
  return new SharedPolicy(new RateBackend(all.rule, parts), parts);
}
