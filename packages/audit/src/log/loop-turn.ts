import * as timers from 'node:timers';

/** Of the event loop that I/O runs in, although a test may have replaced the timers since. */
const { setImmediate: nextTurn } = timers;

/** Number of steps without a turn of the event loop after which one is waited for. */
const MAX_STEPS = 32;

/**
 * Lets timers and I/O run between steps that end without waiting for either, such as writes to memory
 * or rejections during an outage. A caller that awaits such steps in a loop would otherwise keep the
 * event loop from turning, because microtasks run before it.
 */
export class LoopTurn {
  #steps = 0;
  #turn: Promise<void> | undefined;

  /** Counts a step. The promise of the next turn if too many steps have been counted in this one. */
  step(): Promise<void> | undefined {
    this.#turn ??= new Promise((resolve) => {
      nextTurn(() => {
        this.#turn = undefined;
        this.#steps = 0;
        resolve();
      });
    });
    this.#steps++;
    return this.#steps > MAX_STEPS ? this.#turn : undefined;
  }
}
