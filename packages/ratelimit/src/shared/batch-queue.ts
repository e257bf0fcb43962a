import type { Clock } from '@temper/core';
import { listenForAbort, stopListening } from '@temper/core/policy';
import type { Linked } from '../wait/line.ts';
import type { CallerLine } from '../wait/line-order.ts';
import type { QueueSlots } from './queue-slots.ts';
import type { TimerEntry, TimerHeap } from './timer-heap.ts';

/** Why a call that waits is refused. `cost`: the limit was lowered below it meanwhile. */
type Refused = 'deadline' | 'queue-full' | 'cost';

/** What the store answered to one call. */
export type Reply<T> =
  | { readonly kind: 'granted'; readonly grant: T }
  /** Never, or not in time. */
  | {
      readonly kind: 'refused';
      readonly reason: Refused;
      readonly retryAfterMs: number | undefined;
    }
  /** Not now: a call that can wait this long stays in the queue, and those behind it wait too. */
  | {
      readonly kind: 'later';
      readonly retryAfterMs: number;
      /** When to ask for it again, where that is another time. */
      readonly askAgainMs?: number | undefined;
    };

/** What a call was granted, and whether it had to wait in the queue. */
export interface Granted<T> {
  readonly grant: T;
  readonly waited: boolean;
}

/** One call in the queue. */
export interface QueuedCall<T> extends Linked<QueuedCall<T>> {
  /** When its turn must have come, on the clock's monotonic scale; `Infinity` for no limit. */
  readonly deadline: number;
  readonly resolve: (granted: Granted<T>) => void;
  readonly reject: (error: unknown) => void;
  /** Refuses the call at its deadline, unless the store is just being asked about it. */
  timer: TimerEntry | undefined;
  /** The store is being asked about it. */
  asked: boolean;
  /** Settled: an answer that arrives later is not used. */
  done: boolean;
}

/** What a {@link BatchQueue} does with its calls. */
export interface BatchHandler<T> {
  /** How long before its turn the first call is asked for again, in milliseconds. */
  readonly aheadMs: number;
  /** By how much each unit delays the calls behind it, in milliseconds; 0 when unknown. */
  readonly spacingMs: number;
  /** Longest time until the store is asked again, in milliseconds, whatever it says. */
  readonly maxRetryMs: number;
  /** Asks the store for several calls at once. Rejects when it does not answer. */
  request(calls: readonly QueuedCall<T>[], now: number): Promise<readonly Reply<T>[]>;
  /** The error of a refused call. */
  refusal(reason: Refused, call: QueuedCall<T>, retryAfterMs: number | undefined): Error;
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
 * The calls of one process for one key, served in order of arrival, or in fair order where a line is given. One request is in flight at a time
 * and carries up to 128 calls; calls that arrive meanwhile go with the next. This keeps the order, and
 * the number of requests per call falls as load grows. Joining and leaving take constant time, apart
 * from the timer of a deadline.
 */
export class BatchQueue<T> {
  readonly #clock: Clock;
  readonly #timers: TimerHeap;
  readonly #slots: QueueSlots;
  readonly #handler: BatchHandler<T>;
  /** In fair order: all calls that are not settled. */
  readonly #line: CallerLine<QueuedCall<T>> | undefined;
  /** Calls that nobody has been asked about yet. They are behind those that wait. */
  #arrived: QueuedCall<T>[] = [];
  /** Calls that were told to wait, in order. Each holds a slot. */
  readonly #waiting = new Set<QueuedCall<T>>();
  #waitingCost = 0;
  #requesting = false;
  /** Units may have come back since the request under way was made. */
  #woken = false;
  /** The first call that waits, and when its turn is expected. */
  #head: QueuedCall<T> | undefined;
  #headTurn = 0;
  #retryAt = Number.NEGATIVE_INFINITY;
  #retry: TimerEntry | undefined;

  constructor(
    clock: Clock,
    timers: TimerHeap,
    slots: QueueSlots,
    handler: BatchHandler<T>,
    line?: CallerLine<QueuedCall<T>>,
  ) {
    this.#line = line;
    this.#clock = clock;
    this.#timers = timers;
    this.#slots = slots;
    this.#handler = handler;
  }

  /** Whether a call has been told to wait. */
  get contended(): boolean {
    return this.#waiting.size > 0;
  }

  /**
   * Adds a call at the end.
   *
   * @throws {@link BatchHandler.refusal}, the error of the request, or `signal.reason` (as rejections)
   */
  join(
    cost: number,
    deadline: number,
    signal: AbortSignal | undefined,
    caller = '',
  ): Promise<Granted<T>> {
    return new Promise((resolve, reject) => {
      const leave = (served: boolean): void => {
        if (call.done) return;
        if (served) this.#line?.served(call);
        else this.#line?.remove(call);
        call.done = true;
        this.#stopWaiting(call);
        stopListening(signal, onAbort);
      };
      const call: QueuedCall<T> = {
        cost,
        caller,
        previous: undefined,
        next: undefined,
        deadline,
        timer: undefined,
        asked: false,
        done: false,
        resolve: (granted) => {
          leave(true);
          resolve(granted);
        },
        reject: (error) => {
          leave(false);
          reject(error);
        },
      };
      const onAbort = (): void => {
        call.reject(signal?.reason);
        this.#left(call);
      };
      this.#arrived.push(call);
      this.#line?.push(call);
      if (signal?.aborted === true) {
        onAbort();
        return;
      }
      if (signal !== undefined) listenForAbort(signal, onAbort);
      this.#flush();
    });
  }

  /** Units may have come back: asks again without waiting until the time that the store gave. */
  wake(): void {
    this.#woken = this.#requesting;
    this.#retryAt = Number.NEGATIVE_INFINITY;
    this.#flush();
  }

  /** A call has left by itself. What the first call waited for is not what the next one waits for. */
  #left(call: QueuedCall<T>): void {
    if (this.#requesting) return;
    if (call === this.#head) this.wake();
    this.#whenEmpty();
  }

  #flush(): void {
    if (this.#requesting) return;
    this.#arrived = this.#arrived.filter(({ done }) => !done);
    if (this.#waiting.size + this.#arrived.length === 0) return;
    const now = this.#clock.monotonic();
    // The store is to know of each caller that waits.
    const line = this.#line;
    const known = line === undefined || !this.#arrived.some((call) => line.leads(call));
    if (now < this.#retryAt && known) this.#waitUntilRetry(now);
    else this.#ask(now);
  }

  #waitUntilRetry(now: number): void {
    const { spacingMs } = this.#handler;
    const headCost = this.#head?.cost ?? 0;
    for (const call of this.#arrived.splice(0)) {
      // In fair order, a call may be the next one whose turn comes.
      const ahead = this.#line === undefined ? this.#waitingCost - headCost + call.cost : 0;
      this.#letWait(call, this.#headTurn + ahead * spacingMs, now);
    }
    this.#whenEmpty();
    if (this.#waiting.size === 0) return;
    this.#retry ??= this.#timers.add(this.#retryAt, () => {
      this.#retry = undefined;
      this.#flush();
    });
  }

  #ask(now: number): void {
    this.#clearRetry();
    this.#requesting = true;
    const calls = this.#line === undefined ? this.#firstArrived() : this.#line.first(BATCH);
    for (const call of calls) {
      this.#clearDeadline(call);
      call.asked = true;
    }
    if (this.#line !== undefined) this.#arrived = this.#arrived.filter(({ asked }) => !asked);
    void this.#request(calls, now);
  }

  #firstArrived(): QueuedCall<T>[] {
    const calls: QueuedCall<T>[] = [];
    for (const call of this.#waiting) {
      if (calls.length === BATCH) break;
      calls.push(call);
    }
    calls.push(...this.#arrived.splice(0, BATCH - calls.length));
    return calls;
  }

  /** Never rejects. */
  async #request(calls: readonly QueuedCall<T>[], now: number): Promise<void> {
    let replies: readonly Reply<T>[];
    try {
      replies = await this.#handler.request(calls, now);
    } catch (error) {
      this.#failed(calls, error);
      return;
    }
    this.#answered(calls, replies);
  }

  #answered(calls: readonly QueuedCall<T>[], replies: readonly Reply<T>[]): void {
    const now = this.#clock.monotonic();
    this.#head = undefined;
    this.#retryAt = Number.NEGATIVE_INFINITY;
    for (const [i, call] of calls.entries()) {
      const reply = replies[i]!;
      call.asked = false;
      if (reply.kind === 'granted') {
        if (call.done) this.#handler.unused(call, reply.grant);
        else call.resolve({ grant: reply.grant, waited: this.#waiting.has(call) });
      } else if (!call.done) {
        if (reply.kind === 'later') this.#later(call, reply, now);
        else call.reject(this.#handler.refusal(reply.reason, call, reply.retryAfterMs));
      }
    }
    // Those behind a call that can never be served were told to wait for it.
    const freed = replies.some((reply) => reply.kind === 'refused' && reply.reason === 'cost');
    if (freed || this.#woken) this.#retryAt = Number.NEGATIVE_INFINITY;
    this.#woken = false;
    this.#requesting = false;
    this.#flush();
    this.#whenEmpty();
  }

  #later(
    call: QueuedCall<T>,
    {
      retryAfterMs,
      askAgainMs,
    }: { readonly retryAfterMs: number; readonly askAgainMs?: number | undefined },
    now: number,
  ): void {
    const waitMs = Math.max(MIN_RETRY_MS, retryAfterMs);
    if (!this.#letWait(call, now + waitMs, now)) return;
    const { aheadMs, maxRetryMs } = this.#handler;
    const askMs = Math.min(askAgainMs ?? waitMs - aheadMs, maxRetryMs);
    const retryAt = now + Math.max(MIN_RETRY_MS, askMs);
    if (this.#head === undefined) {
      this.#head = call;
      this.#headTurn = now + waitMs;
      this.#retryAt = retryAt;
    } else if (askAgainMs !== undefined) {
      // What the first call waits for is not what those of other callers wait for.
      this.#retryAt = Math.min(this.#retryAt, retryAt);
    }
  }

  /** Refuses a call that cannot wait until its turn. @returns whether it waits */
  #letWait(call: QueuedCall<T>, turn: number, now: number): boolean {
    if (call.deadline < turn) {
      call.reject(this.#handler.refusal('deadline', call, turn - now));
      return false;
    }
    if (!this.#waiting.has(call)) {
      if (!this.#slots.tryEnter() && !this.#displace(call)) {
        call.reject(this.#handler.refusal('queue-full', call, turn - now));
        return false;
      }
      this.#waiting.add(call);
      this.#waitingCost += call.cost;
    }
    if (call.deadline === Number.POSITIVE_INFINITY) return true;
    call.timer = this.#timers.add(call.deadline, () => this.#expire(call));
    return true;
  }

  /** Gives a call the slot of the caller that waits with most. @returns whether there was one */
  #displace(call: QueuedCall<T>): boolean {
    const victim = this.#line?.behind(call);
    if (victim === undefined || !this.#waiting.has(victim)) return false;
    victim.reject(this.#handler.refusal('queue-full', victim, undefined));
    return this.#slots.tryEnter();
  }

  #expire(call: QueuedCall<T>): void {
    call.timer = undefined;
    // Its turn may come with its deadline.
    if (this.#clock.monotonic() >= this.#retryAt) this.#flush();
    if (call.asked || call.done) return;
    call.reject(this.#handler.refusal('deadline', call, undefined));
    this.#left(call);
  }

  #stopWaiting(call: QueuedCall<T>): void {
    this.#clearDeadline(call);
    if (!this.#waiting.delete(call)) return;
    this.#slots.leave();
    this.#waitingCost = this.#waiting.size === 0 ? 0 : this.#waitingCost - call.cost;
  }

  #clearDeadline(call: QueuedCall<T>): void {
    if (call.timer !== undefined) this.#timers.clear(call.timer);
    call.timer = undefined;
  }

  /** Rejects all calls: what the first met, the others would meet too. */
  #failed(asked: readonly QueuedCall<T>[], error: unknown): void {
    const all = new Set([...this.#waiting, ...asked, ...this.#arrived.splice(0)]);
    this.#requesting = false;
    this.#woken = false;
    for (const call of all) if (!call.done) call.reject(error);
    this.#whenEmpty();
  }

  #whenEmpty(): void {
    if (this.#waiting.size + this.#arrived.length > 0 || this.#requesting) return;
    this.#clearRetry();
    this.#handler.emptied();
  }

  #clearRetry(): void {
    if (this.#retry !== undefined) this.#timers.clear(this.#retry);
    this.#retry = undefined;
  }
}
