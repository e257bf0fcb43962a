import type { Clock } from '@temper/core';
import type { Scheduled } from '@temper/core/policy';

/** Why a body is ended: its next piece has not come in time, or the exchange has taken too long. */
export type BodyEnd = 'idle' | 'deadline';

/**
 * Times a body: the wait for each piece while the reader wants one, and the exchange as a whole. One timer
 * serves both, and is not moved for each piece. It does not keep the process alive; a connection does.
 */
export class BodyTimers {
  readonly #clock: Clock;
  readonly #idleMs: number;
  readonly #deadline: number;
  readonly #end: (why: BodyEnd) => void;
  #waitingSince: number | undefined;
  #timer: Scheduled | undefined;
  #due = Number.POSITIVE_INFINITY;
  #stopped = false;

  /**
   * @param idleMs - longest wait for a piece, in milliseconds; `Infinity` for any
   * @param deadline - on the monotonic scale of the clock; `Infinity` for none
   */
  constructor(clock: Clock, idleMs: number, deadline: number, end: (why: BodyEnd) => void) {
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#deadline = deadline;
    this.#end = end;
    this.#arm();
  }

  /** The reader waits for the next piece from now on. */
  waiting(): void {
    if (this.#idleMs === Number.POSITIVE_INFINITY) return;
    this.#waitingSince = this.#clock.monotonic();
    this.#arm();
  }

  /** The reader has got a piece, or does not want one now. */
  received(): void {
    this.#waitingSince = undefined;
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    const idleAt = (this.#waitingSince ?? Number.POSITIVE_INFINITY) + this.#idleMs;
    const due = Math.min(this.#deadline, idleAt);
    if (this.#stopped || due >= this.#due) return; // the timer looks again when it is due
    this.#timer?.cancel();
    this.#due = due;
    const inMs = Math.max(0, due - this.#clock.monotonic());
    this.#timer = this.#clock.schedule(() => this.#expire(), inMs);
    this.#timer.unref();
  }

  #expire(): void {
    this.#due = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    if (now >= this.#deadline) this.#end('deadline');
    else if (this.#waitingSince !== undefined && now - this.#waitingSince >= this.#idleMs) {
      this.#waitingSince = undefined;
      this.#end('idle');
    }
    this.#arm();
  }
}
