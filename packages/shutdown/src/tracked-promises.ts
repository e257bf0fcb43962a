/**
 * Pending promises that a shutdown waits for. A promise that is pending at the time limit of a wait is
 * given up: it still counts in {@link size}, but later waits ignore it.
 */
export class TrackedPromises {
  readonly #pending = new Set<PromiseLike<unknown>>();
  readonly #givenUp = new Set<PromiseLike<unknown>>();
  #onSettled: (() => void)[] = [];

  /** Pending promises, including those that were given up. */
  get size(): number {
    return this.#pending.size;
  }

  /** Pending promises that were not given up. */
  get awaited(): number {
    return this.#pending.size - this.#givenUp.size;
  }

  /** Adds a promise. Its rejection counts as settled and is not handled here. @returns the same promise */
  add<P extends PromiseLike<unknown>>(promise: P): P {
    if (this.#pending.has(promise)) return promise;
    this.#pending.add(promise);
    const settled = (): void => {
      this.#pending.delete(promise);
      this.#givenUp.delete(promise);
      for (const resolve of this.#onSettled.splice(0)) resolve();
    };
    // Adopted by a native promise: a thenable whose `then` throws counts as settled.
    Promise.resolve(promise).then(settled, settled);
    return promise;
  }

  /**
   * Resolves when nothing is awaited, including promises added meanwhile. When `signal` aborts, the
   * promises that were already pending at this call are given up, and the result resolves when they
   * have settled. Promises added since then have had less time; another call waits for them.
   */
  async idle(signal?: AbortSignal): Promise<void> {
    const first = [...this.#pending].filter((promise) => !this.#givenUp.has(promise));
    const isPending = (promise: PromiseLike<unknown>): boolean => this.#pending.has(promise);
    const giveUp = (): void => {
      for (const promise of first.filter(isPending)) this.#givenUp.add(promise);
    };
    signal?.addEventListener('abort', giveUp, { once: true });
    while (signal?.aborted ? first.some(isPending) : this.awaited > 0) {
      await new Promise<void>((resolve) => this.#onSettled.push(resolve));
    }
    signal?.removeEventListener('abort', giveUp);
  }
}
