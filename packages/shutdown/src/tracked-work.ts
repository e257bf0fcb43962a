import type { Handler } from './runner.ts';
import { TrackedPromises } from './tracked-promises.ts';

/** What {@link TrackedWork} needs from its shutdown. */
export interface TrackedWorkOwner {
  /** Whether no time is left for another handler. */
  isOver(): boolean;
  /** Adds the handler to its phase, or runs it immediately if the phase is over. */
  add(handler: Handler): void;
  /** Whether the handler waits for its phase to begin, or for its turn. */
  isWaiting(handler: Handler): boolean;
}

/**
 * Makes the phase `drain` wait for tracked promises, however late they are added. At most one handler
 * waits or runs at a time; it covers all pending promises. A promise that is added when none does gets
 * a new handler, which runs immediately if the phase is over.
 */
export class TrackedWork {
  readonly #promises = new TrackedPromises();
  readonly #timeoutMs: number;
  readonly #owner: TrackedWorkOwner;
  #handler: Handler | undefined;
  #running = false;

  /** @param timeoutMs - time limit of a handler, in milliseconds */
  constructor(timeoutMs: number, owner: TrackedWorkOwner) {
    this.#timeoutMs = timeoutMs;
    this.#owner = owner;
  }

  /** Pending promises. */
  get size(): number {
    return this.#promises.size;
  }

  /** Whether the shutdown waits for any. */
  get busy(): boolean {
    return this.#promises.awaited > 0;
  }

  /** Adds a promise. @returns the same promise */
  add<P extends PromiseLike<unknown>>(promise: P): P {
    this.#promises.add(promise);
    this.#ensureHandler();
    return promise;
  }

  #ensureHandler(): void {
    // Such a promise is counted, and reported as in flight.
    if (this.#running || this.#owner.isOver()) return;
    if (this.#handler !== undefined && this.#owner.isWaiting(this.#handler)) return;
    this.#handler = {
      name: 'tracked work',
      phase: 'drain',
      timeoutMs: this.#timeoutMs,
      builtIn: true,
      run: ({ signal }) => this.#run(signal),
    };
    this.#owner.add(this.#handler);
  }

  async #run(signal: AbortSignal): Promise<void> {
    this.#running = true;
    const idle = this.#promises.idle(signal);
    signal.addEventListener('abort', () => this.#ended(), { once: true });
    await idle;
    if (!signal.aborted) this.#ended();
  }

  /** Starts over for promises that were added after the check for pending ones. */
  #ended(): void {
    this.#running = false;
    if (this.#promises.awaited > 0) this.#ensureHandler();
  }
}
