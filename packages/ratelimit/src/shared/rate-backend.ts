import { listenForAbort, stopListening } from '@temper/core/policy';
import { boundedKey } from '../keyed/bounded-key.ts';
import { UnitLease } from '../lease.ts';
import type { Lease, LimitState } from '../limiter.ts';
import type { Levels } from '../observer.ts';
import { TOLERANCE } from '../rules/rule.ts';
import { lineOrder } from '../wait/line-order.ts';
import type {
  Answer,
  PartRequest,
  SharedBackend,
  SharedParts,
  Turn,
  TurnRequest,
} from './backend.ts';
import { type BatchHandler, BatchQueue, type QueuedCall, type Reply } from './batch-queue.ts';
import { StoreUnavailableError } from './errors.ts';
import { LocalBudgets } from './local-budgets.ts';
import { LocalLimits, localRate } from './local-limits.ts';
import type { ResolvedSharedRateLimit } from './options.ts';
import { RulePlans } from './rule-plans.ts';
import { capacityOf, longestWaitOf, sameRule } from './rule-state.ts';
import {
  type RateChange,
  RESERVATION_MS,
  type StoreRule,
  type TakeAnswer,
  type TakeCall,
  type TakeResult,
} from './store.ts';
import { ignoringFailure, StoreFailure } from './store-access.ts';
import type { StorePart } from './store-part.ts';
import { lacks, ROUNDING_MS } from './store-replies.ts';

/** Units that were taken from the store, to be used after `waitMs`. */
interface Grant {
  readonly waitMs: number;
  readonly receipt: string;
  /** The rule they were taken under. */
  readonly rule: StoreRule;
}

/** A rate limit in a store. */
export class RateBackend implements SharedBackend {
  readonly kind = 'rate' as const;
  readonly local: LocalLimits<StoreRule>;
  readonly #plans: RulePlans;
  readonly #parts: SharedParts;
  readonly #queues = new Map<string, BatchQueue<Grant>>();
  /** With `leased` only. */
  readonly #budgets: LocalBudgets | undefined;
  /** With `leased`, the requests under way for a call that does not wait, by key. */
  readonly #asking = new Map<string, Promise<unknown>>();

  constructor(options: ResolvedSharedRateLimit, parts: SharedParts) {
    const plans = new RulePlans(options);
    this.#plans = plans;
    this.#parts = parts;
    const { mode, budgetMs, clock } = options;
    const { nodes } = parts;
    if (mode === 'leased') {
      this.#budgets = new LocalBudgets({
        clock,
        budgetMs,
        nodes: () => nodes.nodes,
        giveBack: (key, rule, cost, receipt) => this.#giveBack(key, cost, { rule, receipt }),
      });
    }
    this.local = new LocalLimits(
      parts.options,
      parts.nodes,
      (key) => plans.of(key),
      localRate,
      sameRule,
    );
  }

  capacity(key: string): number {
    return capacityOf(this.#plans.of(key));
  }

  checkCost(): void {
    // Fractions are allowed, and whether the cost is a number > 0 was checked with the other options.
  }

  async acquire({ key, cost, deadline, signal, caller }: TurnRequest): Promise<Turn> {
    const rule = this.#plans.of(key);
    if (!this.contended(key) && this.#budgets?.take(key, rule, cost) === true) {
      const undo = (units = cost): void => this.#budgets?.putBack(key, rule, units);
      return { lease: this.#leaseOf(key, cost, undo), waited: false, undo };
    }
    const { grant, waited } = await this.#queueOf(key).join(cost, deadline, signal, caller);
    if (grant.waitMs > 0) await this.#hold(key, cost, grant, signal);
    const undo = (): void => this.#giveBack(key, cost, grant);
    const lease = this.#leaseOf(key, cost, (units) => this.#return(key, units, grant));
    return { lease, waited: waited || grant.waitMs > 0, undo };
  }

  /** Waits until units that are taken already may be used. */
  #hold(key: string, cost: number, grant: Grant, signal: AbortSignal | undefined): Promise<void> {
    const { timers, slots, options } = this.#parts;
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        timers.clear(entry);
        slots.leave();
        this.#giveBack(key, cost, grant);
        reject(signal?.reason);
      };
      const entry = timers.add(options.clock.monotonic() + grant.waitMs, () => {
        stopListening(signal, onAbort);
        slots.leave();
        resolve();
      });
      // The signal may have aborted between the store's answer and this.
      if (signal?.aborted === true) onAbort();
      else if (signal !== undefined) listenForAbort(signal, onAbort);
    });
  }

  #queueOf(key: string): BatchQueue<Grant> {
    let queue = this.#queues.get(key);
    if (queue === undefined) {
      const { timers, slots, options } = this.#parts;
      const line = lineOrder(options.queue)?.createLine<QueuedCall<Grant>>(options.name);
      queue = new BatchQueue(options.clock, timers, slots, this.#handlerOf(key), line);
      this.#queues.set(key, queue);
    }
    return queue;
  }

  #handlerOf(key: string): BatchHandler<Grant> {
    const rule = this.#plans.of(key);
    const scheduled = 'burst' in rule;
    return {
      aheadMs: scheduled ? RESERVATION_MS : 0,
      spacingMs: scheduled ? rule.windowMs / rule.limit : 0,
      maxRetryMs: longestWaitOf(rule),
      request: (calls, now) => this.#request(key, calls, now),
      refusal: (reason, { cost }, retryAfterMs) =>
        this.#parts.refusal(rule.limit, reason, cost, retryAfterMs),
      unused: ({ cost }, grant) => this.#giveBack(key, cost, grant),
      emptied: () => this.#queues.delete(key),
    };
  }

  async #request(
    key: string,
    calls: readonly QueuedCall<Grant>[],
    now: number,
  ): Promise<Reply<Grant>[]> {
    const rule = this.#plans.of(key);
    const asked = calls.map(({ cost, deadline, caller }) => {
      const maxWaitMs = this.#parts.slots.max === 0 ? 0 : Math.max(0, deadline - now);
      return { cost, maxWaitMs, ...this.#callerOf(caller) };
    });
    const { answers } = await this.#takeAhead(key, rule, asked);
    return calls.map((call, i) => this.#replyTo(key, rule, call, asked[i]!, answers[i]!));
  }

  /** Who asks, where the store is to divide the limit among callers. Local budgets are for all of them. */
  #callerOf(caller: string): Pick<TakeCall, 'caller' | 'weight'> {
    const { queue, name } = this.#parts.options;
    const order = lineOrder(queue);
    if (order === undefined || this.#budgets !== undefined) return {};
    return { caller: boundedKey(caller), weight: order.weightOf(name, caller) };
  }

  #replyTo(
    key: string,
    rule: StoreRule,
    call: QueuedCall<Grant>,
    asked: TakeCall,
    answer: TakeAnswer,
  ): Reply<Grant> {
    const { slots, options } = this.#parts;
    if (!answer.taken) {
      const { retryAfterMs, askAgainMs } = answer;
      if (call.cost > capacityOf(rule) + TOLERANCE) {
        return { kind: 'refused', reason: 'cost', retryAfterMs: Number.POSITIVE_INFINITY };
      }
      return retryAfterMs > asked.maxWaitMs
        ? { kind: 'refused', reason: 'deadline', retryAfterMs }
        : { kind: 'later', retryAfterMs, askAgainMs };
    }
    const { waitMs, receipt } = answer;
    const grant = { waitMs, receipt, rule };
    if (waitMs === 0 || call.done) return { kind: 'granted', grant };
    // The store was told how long the call could wait when it was asked; its answer has taken time.
    if (options.clock.monotonic() + waitMs > call.deadline + ROUNDING_MS) {
      this.#giveBack(key, call.cost, grant);
      return { kind: 'refused', reason: 'deadline', retryAfterMs: waitMs };
    }
    if (!slots.tryEnter()) {
      this.#giveBack(key, call.cost, grant);
      return { kind: 'refused', reason: 'queue-full', retryAfterMs: waitMs };
    }
    return { kind: 'granted', grant };
  }

  /** With `leased`, the units for a local budget are asked for in the same request. */
  async #takeAhead(key: string, rule: StoreRule, calls: readonly TakeCall[]): Promise<TakeResult> {
    const units = this.#budgets?.ahead(rule) ?? 0;
    if (units === 0) return this.#parts.store.take(key, rule, calls);
    const result = await this.#parts.store.take(key, rule, [
      ...calls,
      { cost: units, maxWaitMs: 0 },
    ]);
    const extra = result.answers[calls.length];
    if (extra?.taken === true) this.#budgets?.keep(key, rule, units, extra.receipt);
    return result;
  }

  #giveBack(key: string, cost: number, grant: Omit<Grant, 'waitMs'>): void {
    void ignoringFailure(this.#return(key, cost, grant));
  }

  #return(key: string, cost: number, { rule, receipt }: Omit<Grant, 'waitMs'>): Promise<void> {
    return this.#parts.store.giveBack(key, rule, cost, receipt);
  }

  /** @param giveBack - gives some of the units back */
  #leaseOf(key: string, cost: number, giveBack: (units: number) => void | Promise<void>): Lease {
    const { name } = this.#parts.options;
    const correct = async (difference: number): Promise<void> => {
      try {
        if (difference < 0) await giveBack(-difference);
        else await this.change(key, { kind: 'charge', units: difference });
      } catch (error) {
        throw new StoreUnavailableError(name, error instanceof StoreFailure ? error.cause : error);
      }
      this.#queues.get(key)?.wake();
    };
    return new UnitLease(cost, { name, correct }, 0);
  }

  async take(key: string, cost: number, caller: string): Promise<Answer> {
    const rule = this.#plans.of(key);
    const { limit, windowMs } = rule;
    if (this.contended(key)) {
      const none = { limit, windowMs, remaining: 0, resetMs: undefined };
      const refused = { ...none, allowed: false, retryAfterMs: undefined, lease: undefined };
      return { decision: refused, undo: () => undefined };
    }
    const local = this.#takeOfBudget(key, rule, cost);
    if (local !== undefined) return local;
    const under = this.#asking.get(key);
    if (under !== undefined) {
      // The request under way may bring units for this call too; what it meets, this call would meet too.
      await under;
      const brought = this.#takeOfBudget(key, rule, cost);
      if (brought !== undefined) return brought;
    }
    const asking = this.#takeAhead(key, rule, [{ cost, maxWaitMs: 0, ...this.#callerOf(caller) }]);
    const result = await this.#whileAsking(key, asking);
    const [answer] = result.answers;
    if (!answer!.taken) this.#budgets?.refused(key, rule, cost, answer!.retryAfterMs);
    return this.#answerOf(key, rule, cost, result);
  }

  partOf({ key, caller, cost, maxWaitMs }: PartRequest): StorePart | undefined {
    if (this.#budgets !== undefined) return undefined;
    const rule = this.#plans.of(key);
    const calls = [{ cost, maxWaitMs, ...this.#callerOf(caller) }];
    return {
      kind: 'rate',
      request: { limiter: this.#parts.options.name, key: boundedKey(key), rule, calls },
      answer: (result) => {
        const answer = this.#answerOf(key, rule, cost, result);
        return { askAgainMs: undefined, ...answer, fits: !lacks(result) };
      },
    };
  }

  /** The answer of the store to one call. */
  #answerOf(
    key: string,
    rule: StoreRule,
    cost: number,
    { answers: [answer], remaining, resetMs }: TakeResult,
  ): Answer {
    const state = { limit: rule.limit, windowMs: rule.windowMs, remaining, resetMs };
    if (!answer!.taken) {
      const { retryAfterMs, askAgainMs } = answer!;
      const decision = { ...state, allowed: false, retryAfterMs, lease: undefined };
      return { decision, undo: () => undefined, askAgainMs };
    }
    const grant = { rule, receipt: answer!.receipt };
    const lease = this.#leaseOf(key, cost, (units) => this.#return(key, units, grant));
    return {
      decision: { ...state, allowed: true, retryAfterMs: 0, lease },
      undo: () => this.#giveBack(key, cost, grant),
    };
  }

  /** With `leased`: the answer without a request, when the budget or a known refusal has one. */
  #takeOfBudget(key: string, rule: StoreRule, cost: number): Answer | undefined {
    const budgets = this.#budgets;
    if (budgets === undefined) return undefined;
    const { limit, windowMs } = rule;
    const remaining = Math.floor(budgets.left(key));
    const state = { limit, windowMs, remaining, resetMs: undefined };
    if (budgets.take(key, rule, cost)) {
      const undo = (units = cost): void => budgets.putBack(key, rule, units);
      const lease = this.#leaseOf(key, cost, undo);
      const left = Math.floor(budgets.left(key));
      const decision = { ...state, remaining: left, allowed: true, retryAfterMs: 0, lease };
      return { decision, undo };
    }
    const retryAfterMs = budgets.refusedFor(key, rule, cost);
    if (retryAfterMs === 0) return undefined;
    const decision = { ...state, allowed: false, retryAfterMs, lease: undefined };
    return { decision, undo: () => undefined };
  }

  /** Lets the other calls for a key wait for this request, with `leased` only. */
  async #whileAsking<T>(key: string, request: Promise<T>): Promise<T> {
    if (this.#budgets === undefined || this.#asking.has(key)) return request;
    this.#asking.set(key, request);
    try {
      return await request;
    } finally {
      this.#asking.delete(key);
    }
  }

  async peek(key: string): Promise<LimitState> {
    const rule = this.#plans.of(key);
    const { remaining, resetMs } = await this.#parts.store.take(key, rule, []);
    const { limit, windowMs } = rule;
    return { limit, windowMs, remaining: this.contended(key) ? 0 : remaining, resetMs };
  }

  /** Changes the state of a key, and asks again for the calls of this process that wait for it. */
  async change(key: string, change: RateChange): Promise<void> {
    // What this process holds has to be there to be used up.
    if (change.kind === 'charge' && change.units > 0) this.#budgets?.forget(key);
    await this.#parts.store.change(key, this.#plans.of(key), change);
    this.#budgets?.forget(key, change.kind !== 'reset');
    this.#queues.get(key)?.wake();
  }

  /** Whether calls of this process wait and have no place in a schedule yet. */
  contended(key: string): boolean {
    return this.#queues.get(key)?.contended === true;
  }

  unused(key: string): LimitState {
    const { limit, windowMs } = this.#plans.of(key);
    return { limit, windowMs, remaining: Math.floor(this.capacity(key)), resetMs: undefined };
  }

  levels(): Levels {
    return {};
  }
}
