import type { Clock } from '@temper/core';
import { type Call, inCurrentContext, listenForAbort, stopListening } from '@temper/core/policy';

/** Most calls that wait. The memory that they hold must not grow with the length of an outage. */
const MAX_WAITING = 1000;

/**
 * Calls that start at once when the circuit closes. The others follow as these end, two for each that
 * succeeds and one for each that fails, so that a dependency which has just recovered does not get all of
 * them at the same time. Source: slow start of TCP, with the initial window of RFC 6928.
 */
const FIRST_BATCH = 10;

/** The calls that a closed circuit still starts. */
interface Ramp {
  free: number;
}

/** What the queue asks of its circuit. */
export interface QueueHost {
  /** Called when a call begins to wait, and when one waits no longer. */
  onSize(): void;
  /** A call was ended while it waited. */
  endedWaiting(): void;
  /** How calls get their turn now: one more, none, or step by step as the circuit is closed. */
  turns(): 'next' | 'none' | 'ramp';
}

/**
 * Calls that wait for their turn while the circuit is half-open, in order of arrival, and after it has
 * closed until their turn comes or their wait is over.
 */
export class HalfOpenQueue {
  readonly #clock: Clock;
  readonly #maxWaitMs: number;
  /** Each gives a call its turn. */
  readonly #waiting: Set<(ramp: Ramp | undefined) => void> = new Set();
  readonly #host: QueueHost;
  #ramp: Ramp | undefined;
  #draining = false;

  constructor(clock: Clock, maxWaitMs: number, host: QueueHost) {
    this.#clock = clock;
    this.#maxWaitMs = maxWaitMs;
    this.#host = host;
  }

  get size(): number {
    return this.#waiting.size;
  }

  get full(): boolean {
    return this.#waiting.size >= MAX_WAITING;
  }

  /**
   * Waits for a turn, and then calls `enter`; or `giveUp` after the longest wait. Either is called in the
   * asynchronous context of the call that waits.
   *
   * @throws the reason (as a rejection) when the call is aborted
   */
  wait<T>(call: Call, enter: () => Promise<T>, giveUp: () => Promise<T>): Promise<T> {
    if (call.aborted) {
      this.#host.endedWaiting();
      return Promise.reject(call.reason);
    }
    const signal = call.abortable;
    const since = this.#clock.monotonic();
    const inContext = inCurrentContext();
    return new Promise<T>((resolve, reject) => {
      const leave = (): void => {
        timer.cancel();
        stopListening(signal, onAbort);
        this.#waiting.delete(turn);
        call.noteWait(this.#clock.monotonic() - since);
        this.#host.onSize();
      };
      const onAbort = (): void => {
        leave();
        this.#host.endedWaiting();
        // For the policies around, it ended while it waited for capacity of our own.
        call.awaitCapacity(() => Promise.reject(call.reason)).catch(reject);
      };
      const turn = (ramp: Ramp | undefined): void => {
        leave();
        inContext(() => {
          const entered = enter();
          resolve(entered);
          if (ramp !== undefined) void this.#follow(ramp, entered);
        });
      };
      const waitMs = Math.max(0, Math.min(this.#maxWaitMs, call.remainingMs(this.#clock)));
      const timer = this.#clock.schedule(() => {
        leave();
        inContext(() => resolve(giveUp()));
      }, waitMs);
      if (signal !== undefined) listenForAbort(signal, onAbort);
      this.#waiting.add(turn);
      this.#host.onSize();
    });
  }

  /** Gives calls their turn as far as the circuit permits. A turn is taken before the next one is given. */
  drain(): void {
    if (this.#draining) return; // a call whose turn it is has changed the circuit
    this.#draining = true;
    try {
      for (const turn of this.#waiting) {
        const ramp = this.#step();
        if (ramp === 'none') return;
        turn(ramp);
      }
    } finally {
      this.#draining = false;
      if (this.#waiting.size === 0) this.#ramp = undefined;
    }
  }

  /** Whether one more call has its turn, and the ramp that it is a part of. */
  #step(): Ramp | undefined | 'none' {
    const turns = this.#host.turns();
    this.#ramp = turns === 'ramp' ? (this.#ramp ?? { free: FIRST_BATCH }) : undefined;
    if (turns === 'none' || this.#ramp?.free === 0) return 'none';
    if (this.#ramp !== undefined) this.#ramp.free--;
    return this.#ramp;
  }

  /** When a call of the ramp ends, others have their turn. */
  async #follow(ramp: Ramp, entered: Promise<unknown>): Promise<void> {
    try {
      await entered;
      ramp.free += 2;
    } catch {
      ramp.free++;
    }
    if (ramp === this.#ramp) this.drain();
  }
}
