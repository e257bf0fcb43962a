import type { Clock } from '@temper/core';
import type { QueueSlots } from './queue-slots.ts';
import type { TimerEntry, TimerHeap } from './timer-heap.ts';

/** What the store answered to one call. */
export type Reply<T> =
  | { readonly kind: 'granted'; readonly grant: T }
  /** Never, or not in time. */
  | {
      readonly kind: 'refused';
      readonly reason: 'deadline' | 'queue-full';
      readonly retryAfterMs: number | undefined;
    }
  /** Not now: a call that can wait this long stays in the queue, and those behind it wait too. */
  | { readonly kind: 'later'; readonly retryAfterMs: number };

/** What a call was granted, and whether it had to wait in the queue. */
export interface Granted<T> {
  readonly grant: T;
  readonly waited: boolean;
}

/** One call in the queue. */
export interface QueuedCall<T> {
  readonly cost: number;
  /** When its turn must have come, on the clock's monotonic scale; `Infinity` for no limit. */
  readonly deadline: number;
  readonly resolve: (granted: Granted<T>) => void;
  readonly reject: (error: unknown) => void;
  /** Has been told to wait, and holds a slot of the queue. */
  waits: boolean;
  /** Settled: an answer that arrives later is not used. */
  done: boolean;
}

/** What a {@link BatchQueue} does with its calls. */
export interface BatchHandler<T> {
  /** Asks the store for several calls at once. Rejects when it does not answer. */
  request(calls: readonly QueuedCall<T>[], now: number): Promise<readonly Reply<T>[]>;
  /** The error of a refused call. */
  refusal(
    reason: 'deadline' | 'queue-full',
    call: QueuedCall<T>,
    retryAfterMs: number | undefined,
  ): Error;
  /** A grant arrived after its call was settled. */
  unused(call: QueuedCall<T>, grant: T): void;
  /** Called when the queue is empty. */
  emptied(): void;
}

/** Shortest time until the store is asked again, in milliseconds, whatever it says. */
const MIN_RETRY_MS = 1;

/** Most calls per request. */
const BATCH = 128;

/**
 * The calls of one process for one key, served in order of arrival. One request is in flight at a time
 * and carries all calls that wait; calls that arrive meanwhile go with the next. This keeps the order,
 * and the number of requests per call falls as load grows.
 */
export class BatchQueue<T> {
  readonly #clock: Clock;
  readonly #timers: TimerHeap;
  readonly #slots: QueueSlots;
  readonly #handler: BatchHandler<T>;
  #calls: QueuedCall<T>[] = [];
  #requesting = false;
  #retryAt = Number.NEGATIVE_INFINITY;
  #retry: TimerEntry | undefined;

  constructor(clock: Clock, timers: TimerHeap, slots: QueueSlots, handler: BatchHandler<T>) {
    this.#clock = clock;
    this.#timers = timers;
    this.#slots = slots;
    this.#handler = handler;
  }

  /** Whether a call has been told to wait. */
  get contended(): boolean {
    return this.#calls.some(({ waits }) => waits);
  }

  /**
   * Adds a call at the end.
   *
   * @throws {@link BatchHandler.refusal}, the error of the request, or `signal.reason` (as rejections)
   */
  join(cost: number, deadline: number, signal: AbortSignal | undefined): Promise<Granted<T>> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        call.done = true;
        if (call.waits) this.#slots.leave();
        call.waits = false;
        signal?.removeEventListener('abort', onAbort);
      };
      const call: QueuedCall<T> = {
        cost,
        deadline,
        waits: false,
        done: false,
        resolve: (granted) => {
          leave();
          resolve(granted);
        },
        reject: (error) => {
          leave();
          reject(error);
        },
      };
      const onAbort = (): void => {
        call.reject(signal?.reason);
        this.#removeSettled();
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#calls.push(call);
      this.#flush();
    });
  }

  /** Units may have come back: asks again without waiting until the time that the store gave. */
  wake(): void {
    this.#retryAt = Number.NEGATIVE_INFINITY;
    this.#flush();
  }

  #removeSettled(): void {
    // The calls of a request in flight keep their places until it is answered.
    if (this.#requesting) return;
    this.#calls = this.#calls.filter(({ done }) => !done);
    this.#whenEmpty();
  }

  #flush(): void {
    if (this.#requesting || this.#calls.length === 0) return;
    const now = this.#clock.monotonic();
    if (now < this.#retryAt) {
      this.#calls = this.#calls.filter((call) => this.#letWait(call, this.#retryAt, now));
      this.#whenEmpty();
      if (this.#calls.length === 0) return;
      this.#retry ??= this.#timers.add(this.#retryAt, () => {
        this.#retry = undefined;
        this.#flush();
      });
      return;
    }
    this.#clearRetry();
    this.#requesting = true;
    void this.#request(this.#calls.slice(0, BATCH), now);
  }

  /** Never rejects. */
  async #request(calls: readonly QueuedCall<T>[], now: number): Promise<void> {
    let replies: readonly Reply<T>[];
    try {
      replies = await this.#handler.request(calls, now);
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.#answered(calls, replies);
  }

  /** Refuses a call that cannot wait until `until`. @returns whether it waits */
  #letWait(call: QueuedCall<T>, until: number, now: number): boolean {
    if (call.deadline < until) {
      call.reject(this.#handler.refusal('deadline', call, until - now));
      return false;
    }
    if (!call.waits) call.waits = this.#slots.tryEnter();
    if (!call.waits) call.reject(this.#handler.refusal('queue-full', call, until - now));
    return call.waits;
  }

  #answered(calls: readonly QueuedCall<T>[], replies: readonly Reply<T>[]): void {
    const now = this.#clock.monotonic();
    const left: QueuedCall<T>[] = [];
    for (const [i, call] of calls.entries()) {
      const reply = replies[i]!;
      if (reply.kind === 'granted') {
        if (call.done) this.#handler.unused(call, reply.grant);
        else call.resolve({ grant: reply.grant, waited: call.waits });
      } else if (!call.done) {
        if (reply.kind === 'refused') {
          call.reject(this.#handler.refusal(reply.reason, call, reply.retryAfterMs));
        } else {
          const until = now + Math.max(MIN_RETRY_MS, reply.retryAfterMs);
          if (!this.#letWait(call, until, now)) continue;
          left.push(call);
          if (left.length === 1) this.#retryAt = until;
        }
      }
    }
    this.#calls = [...left, ...this.#calls.slice(calls.length)].filter(({ done }) => !done);
    this.#requesting = false;
    this.#flush();
    this.#whenEmpty();
  }

  /** Rejects all calls: what the first met, the others would meet too. */
  #failed(error: unknown): void {
    const all = this.#calls;
    this.#calls = [];
    this.#requesting = false;
    for (const call of all) if (!call.done) call.reject(error);
    this.#whenEmpty();
  }

  #whenEmpty(): void {
    if (this.#calls.length > 0 || this.#requesting) return;
    this.#clearRetry();
    this.#handler.emptied();
  }

  #clearRetry(): void {
    if (this.#retry !== undefined) this.#timers.clear(this.#retry);
    this.#retry = undefined;
  }
}
