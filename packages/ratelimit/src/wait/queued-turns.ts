import { Call, rejectLater } from '@temper/core/policy';
import { RateLimitExceededError } from '../errors.ts';
import type { AcquireOptions } from '../limiter.ts';
import type { LimiterObserver } from '../observer.ts';
import { TOLERANCE } from '../rules/rule.ts';
import { checkCapacity, readOptions } from './acquire-options.ts';
import type { Gate } from './gate.ts';
import { lineOrder } from './line-order.ts';
import type { ResolvedQueueOptions } from './options.ts';
import type { Turns } from './turns.ts';
import { UsualLatency } from './usual-latency.ts';
import { type Foresight, refusal, type Waiter, WaitQueue } from './wait-queue.ts';
import { Watchers } from './watchers.ts';

/** What a queue is made with besides its gate. */
export interface QueueParts<G extends Gate> {
  /** Shared with other gates; by default it is of the calls at this one. */
  readonly usual?: UsualLatency;
  /** Creates the forecast of the queue. Without it, nobody knows when calls get their turn. */
  readonly foresee?: (gate: G) => Foresight;
}

/** Turns at a gate with a queue, which is served as its options say. */
export class QueuedTurns<G extends Gate> implements Turns {
  readonly #gate: G;
  readonly #options: ResolvedQueueOptions;
  readonly #observer: LimiterObserver;
  readonly #foresee: QueueParts<G>['foresee'];
  /** Created when the first call has to wait. */
  #queue: WaitQueue | undefined;
  /** Of the calls that have waited. */
  #usual: UsualLatency | undefined;
  #watchers: Watchers | undefined;

  constructor(
    gate: G,
    options: ResolvedQueueOptions,
    observer: LimiterObserver,
    { usual, foresee }: QueueParts<G> = {},
  ) {
    this.#gate = gate;
    this.#usual = usual;
    this.#foresee = foresee;
    this.#options = options;
    this.#observer = observer;
    this.#queue = undefined;
    this.#watchers = undefined;
  }

  get watchers(): Watchers {
    this.#watchers ??= new Watchers();
    return this.#watchers;
  }

  get queued(): number {
    return this.#queue === undefined ? 0 : this.#queue.size;
  }

  enter(cost: number): boolean {
    if (this.queued > 0 || !this.#gate.tryTake(cost)) return false;
    this.#observer.counts.allowed++;
    return true;
  }

  tryEnter(cost: number): boolean {
    if (this.enter(cost)) return true;
    this.#observer.counts.limit++;
    return false;
  }

  costOf(options: AcquireOptions): number {
    const { cost } = readOptions(this.#gate.name, options);
    checkCapacity(this.#gate.name, this.#gate.capacity, cost);
    return cost;
  }

  async acquire(options: AcquireOptions = {}): Promise<number> {
    const {
      cost,
      signal,
      maxWaitMs = Number.POSITIVE_INFINITY,
      ...ordering
    } = readOptions(this.#gate.name, options);
    if (signal?.aborted === true) throw signal.reason;
    if (!this.enter(cost))
      await this.#wait(cost, ordering, maxWaitMs, new Call(1, undefined, undefined, signal));
    return cost;
  }

  wait(call: Call): Promise<() => void> {
    const refused = this.refuse(call);
    if (refused !== undefined) return rejectLater(refused);
    const { clock } = this.#options;
    const neededMs = this.#usual?.neededMs(clock.monotonic()) ?? 0;
    const longestMs = call.remainingMs(clock) - neededMs;
    return call.awaitCapacity(() => this.#wait(call.cost, call, longestMs, call), clock);
  }

  refuse(call: Call): RateLimitExceededError | undefined {
    const { maxQueue, maxWaitMs } = this.#options;
    if ((maxQueue > 0 && maxWaitMs > 0) || call.aborted) return undefined;
    const { cost } = call;
    if (cost > this.#gate.capacity + TOLERANCE) return undefined;
    const error = refusal(this.#gate, 'limit', cost);
    this.#refused(this.#observer.begin(call, cost), error, 0);
    return error;
  }

  wake(): void {
    this.#queue?.wake();
    this.#watchers?.tell();
  }

  changed(): void {
    this.#queue?.changed();
    this.#watchers?.tell();
  }

  /** Parts that wait have become urgent. */
  hurry(): void {
    this.#queue?.hurry();
    this.#watchers?.tell();
  }

  async #wait(
    cost: number,
    { key, priority = 'critical' }: Pick<AcquireOptions, 'key' | 'priority'>,
    longestMs: number,
    call: Call,
  ): Promise<() => void> {
    const { maxQueue, maxWaitMs, clock } = this.#options;
    const { counts } = this.#observer;
    const since = clock.monotonic();
    const observed = this.#observer.begin(call, cost);
    try {
      checkCapacity(this.#gate.name, this.#gate.capacity, cost);
      if (maxQueue === 0 || maxWaitMs === 0) throw refusal(this.#gate, 'limit', cost);
      this.#queue ??= this.#createQueue();
      const deadline = since + Math.min(longestMs, maxWaitMs);
      const part = this.#gate.beginWait?.(call, cost);
      try {
        const caller = this.#options.queue?.orderedBy === 'priority' ? priority : key;
        await this.#queue.join(cost, deadline, call.abortable, caller, part);
      } finally {
        part?.end();
        this.#watchers?.tell();
      }
    } catch (error) {
      // A caller may abort with the refusal of another limiter.
      if (error instanceof RateLimitExceededError && error !== call.reason) {
        this.#refused(observed, error, clock.monotonic() - since);
      } else {
        counts.aborted++;
        this.#observer.ended(observed, 'aborted', clock.monotonic() - since);
      }
      throw error;
    }
    counts.delayed++;
    const now = clock.monotonic();
    this.#observer.ended(observed, 'delayed', now - since);
    return () => {
      if (call.endedBy !== undefined) return; // too late
      const answeredAt = clock.monotonic();
      this.#usual ??= new UsualLatency();
      this.#usual.answered(answeredAt - now, answeredAt);
    };
  }

  #createQueue(): WaitQueue {
    const { clock, maxQueue, queue } = this.#options;
    const line = lineOrder(queue)?.createLine<Waiter>(this.#gate.name);
    return new WaitQueue(clock, this.#gate, maxQueue, line, this.#foresee?.(this.#gate));
  }

  #refused(
    observed: ReturnType<LimiterObserver['begin']>,
    error: RateLimitExceededError,
    ms: number,
  ): void {
    const { counts, refusals } = this.#observer;
    counts[error.reason as keyof typeof counts]++;
    this.#observer.ended(observed, 'rejected', ms, error);
    refusals.tell(error);
  }
}
