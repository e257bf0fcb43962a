/** Promises under way that a shutdown has to wait for. */
export class Tracked {
  readonly #pending = new Set<PromiseLike<unknown>>();
  #onIdle: (() => void)[] = [];

  get size(): number {
    return this.#pending.size;
  }

  /** @returns the same promise; how it ends is its owner's business */
  add<P extends PromiseLike<unknown>>(promise: P): P {
    this.#pending.add(promise);
    const settled = (): void => {
      this.#pending.delete(promise);
      if (this.#pending.size > 0) return;
      for (const resolve of this.#onIdle.splice(0)) resolve();
    };
    promise.then(settled, settled);
    return promise;
  }

  /** Resolves as soon as nothing is pending, counting what is added meanwhile. */
  idle(): Promise<void> {
    return this.#pending.size === 0
      ? Promise.resolve()
      : new Promise((resolve) => this.#onIdle.push(resolve));
  }
}
