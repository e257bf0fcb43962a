import { type Clock, DeadlineExceededError } from '@temper/core';
import type { Alarm, AlarmEntry } from './alarm.ts';
import type { WaitingRoom } from './waiting-room.ts';

/** What became of one call's question. */
export type Reply<T> =
  | { readonly kind: 'granted'; readonly grant: T }
  /** Never, or not in time; the limiter says it to the caller. */
  | {
      readonly kind: 'refused';
      readonly reason: 'deadline' | 'queue-full';
      readonly retryAfterMs: number | undefined;
    }
  /** Not now: whoever can wait so long stays in the queue, and those behind wait with it. */
  | { readonly kind: 'later'; readonly retryAfterMs: number };

/** What a call got, and whether it had been told to wait for it. */
export interface Granted<T> {
  readonly grant: T;
  readonly waited: boolean;
}

/** One call in the queue. */
export interface Ticket<T> {
  readonly cost: number;
  /** When the caller gives up, on the clock's monotonic scale; `Infinity` for never. */
  readonly deadline: number;
  readonly resolve: (granted: Granted<T>) => void;
  readonly reject: (error: unknown) => void;
  /** Has been told to wait, and has a place in the waiting room. */
  waits: boolean;
  /** Nobody waits for the answer any more. */
  done: boolean;
}

/** What an {@link AskQueue} asks. */
export interface Desk<T> {
  /** Asks the store for several calls at once. Rejects when it cannot answer. */
  ask(tickets: readonly Ticket<T>[], now: number): Promise<readonly Reply<T>[]>;
  /** The error for a call that is refused. */
  refusal(
    reason: 'deadline' | 'queue-full',
    ticket: Ticket<T>,
    retryAfterMs: number | undefined,
  ): Error;
  /** What was granted came too late for its caller. */
  unused(ticket: Ticket<T>, grant: T): void;
  /** Called when nobody waits any more. */
  emptied(): void;
}

/** Most calls that are asked for at once. */
const BATCH = 128;

/**
 * The calls of one process for one key, first come, first served. One question is under way at a time,
 * for all who wait; those that come meanwhile go with the next. So the order holds, and the store is
 * asked the less often the more there is to ask.
 */
export class AskQueue<T> {
  readonly #clock: Clock;
  readonly #alarm: Alarm;
  readonly #desk: Desk<T>;
  readonly #room: WaitingRoom;
  #waiting: Ticket<T>[] = [];
  #asking = false;
  #retryAt = Number.NEGATIVE_INFINITY;
  #retry: AlarmEntry | undefined;

  constructor(clock: Clock, alarm: Alarm, room: WaitingRoom, desk: Desk<T>) {
    this.#clock = clock;
    this.#alarm = alarm;
    this.#room = room;
    this.#desk = desk;
  }

  /** Whether somebody has been told to wait. */
  get contended(): boolean {
    return this.#waiting.some(({ waits }) => waits);
  }

  /**
   * Joins at the end.
   *
   * @throws {@link Desk.refusal}; what the store failed with; `signal.reason`; or
   * `DeadlineExceededError` when the store has not answered by the deadline
   */
  join(cost: number, deadline: number, signal: AbortSignal | undefined): Promise<Granted<T>> {
    return new Promise((resolve, reject) => {
      let expiry: AlarmEntry | undefined;
      const leave = (): void => {
        ticket.done = true;
        if (ticket.waits) this.#room.leave();
        ticket.waits = false;
        signal?.removeEventListener('abort', onAbort);
        if (expiry !== undefined) this.#alarm.clear(expiry);
      };
      const ticket: Ticket<T> = {
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
      const giveUp = (reason: unknown): void => {
        ticket.reject(reason);
        this.#sweep();
      };
      const onAbort = (): void => giveUp(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (deadline < Number.POSITIVE_INFINITY) {
        expiry = this.#alarm.set(deadline, () => giveUp(new DeadlineExceededError(undefined)));
      }
      this.#waiting.push(ticket);
      this.#flush();
    });
  }

  /** Something may have been given back: asks again without waiting for the time told. */
  wake(): void {
    this.#retryAt = Number.NEGATIVE_INFINITY;
    this.#flush();
  }

  /** The calls that are asked for at present are in it until they are answered. */
  #sweep(): void {
    if (this.#asking) return;
    this.#waiting = this.#waiting.filter(({ done }) => !done);
    this.#mayBeEmpty();
  }

  #flush(): void {
    if (this.#asking || this.#waiting.length === 0) return;
    const now = this.#clock.monotonic();
    if (now < this.#retryAt) {
      this.#refuseHasty(now);
      if (this.#waiting.length === 0) return;
      this.#retry ??= this.#alarm.set(this.#retryAt, () => {
        this.#retry = undefined;
        this.#flush();
      });
      return;
    }
    this.#clearRetry();
    const asked = this.#waiting.slice(0, BATCH);
    this.#asking = true;
    this.#desk.ask(asked, now).then(
      (replies) => this.#answered(asked, replies),
      (error: unknown) => this.#failed(error),
    );
  }

  /** Turns away who cannot wait until there is any use in asking again. */
  #refuseHasty(now: number): void {
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((ticket) => this.#letWait(ticket, this.#retryAt, now));
    if (this.#waiting.length < waiting.length) this.#mayBeEmpty();
  }

  /** @returns false when it was turned away */
  #letWait(ticket: Ticket<T>, until: number, now: number): boolean {
    if (ticket.deadline < until) {
      ticket.reject(this.#desk.refusal('deadline', ticket, until - now));
      return false;
    }
    if (!ticket.waits) ticket.waits = this.#room.enter();
    if (!ticket.waits) ticket.reject(this.#desk.refusal('queue-full', ticket, until - now));
    return ticket.waits;
  }

  #answered(asked: readonly Ticket<T>[], replies: readonly Reply<T>[]): void {
    const now = this.#clock.monotonic();
    const left: Ticket<T>[] = [];
    for (const [i, ticket] of asked.entries()) {
      const reply = replies[i]!;
      if (reply.kind === 'granted') {
        if (ticket.done) this.#desk.unused(ticket, reply.grant);
        else ticket.resolve({ grant: reply.grant, waited: ticket.waits });
      } else if (!ticket.done) {
        if (reply.kind === 'refused') {
          ticket.reject(this.#desk.refusal(reply.reason, ticket, reply.retryAfterMs));
        } else if (this.#letWait(ticket, now + reply.retryAfterMs, now)) {
          left.push(ticket);
          if (left.length === 1) this.#retryAt = now + reply.retryAfterMs;
        }
      }
    }
    this.#waiting = [...left, ...this.#waiting.slice(asked.length)].filter(({ done }) => !done);
    this.#asking = false;
    this.#flush();
    this.#mayBeEmpty();
  }

  /** All who wait hear of it: what is true of the first is true of the others. */
  #failed(error: unknown): void {
    const all = this.#waiting;
    this.#waiting = [];
    this.#asking = false;
    for (const ticket of all) {
      if (!ticket.done) ticket.reject(error);
    }
    this.#mayBeEmpty();
  }

  #mayBeEmpty(): void {
    if (this.#waiting.length > 0 || this.#asking) return;
    this.#clearRetry();
    this.#desk.emptied();
  }

  #clearRetry(): void {
    if (this.#retry !== undefined) this.#alarm.clear(this.#retry);
    this.#retry = undefined;
  }
}
