/** Pending promises that a shutdown waits for. */
export class TrackedPromises {
  readonly #pending = new Set<PromiseLike<unknown>>();
  #onIdle: (() => void)[] = [];

  get size(): number {
    return this.#pending.size;
  }

  /** Adds a promise. Its rejection counts as settled and is not handled here. @returns the same promise */
  add<P extends PromiseLike<unknown>>(promise: P): P {
    this.#pending.add(promise);
    const settled = (): void => {
      this.#pending.delete(promise);
      if (this.#pending.size > 0) return;
      for (const resolve of this.#onIdle.splice(0)) resolve();
    };
    // Adopted by a native promise: a thenable whose `then` throws counts as settled.
    Promise.resolve(promise).then(settled, settled);
    return promise;
  }

  /** Resolves when nothing is pending, including promises added meanwhile. */
  idle(): Promise<void> {
    return this.#pending.size === 0
      ? Promise.resolve()
      : new Promise((resolve) => this.#onIdle.push(resolve));
  }
}
