interface Waiter<T> {
  readonly grant: (one: T) => void;
  readonly fail: (error: unknown) => void;
}

/** Gives out what is idle, first come, first served. */
export class Turns<T> {
  readonly #idle: T[] = [];
  readonly #waiting = new Set<Waiter<T>>();
  #refusal: Error | undefined;
  #ended = false;

  get idle(): number {
    return this.#idle.length;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** @throws the reason of the signal, or why nothing is given out */
  take(signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      if (this.#refusal !== undefined) {
        reject(this.#refusal);
        return;
      }
      // The last one is warm.
      const one = this.#idle.pop();
      if (one !== undefined) {
        resolve(one);
        return;
      }
      const leave = (): void => {
        this.#waiting.delete(waiter);
        reject(signal.reason);
      };
      const waiter: Waiter<T> = {
        grant: (given) => {
          signal.removeEventListener('abort', leave);
          resolve(given);
        },
        fail: (error) => {
          signal.removeEventListener('abort', leave);
          reject(error);
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.add(waiter);
    });
  }

  /** `one` is idle. */
  offer(one: T): void {
    if (!this.#ended) this.#refusal = undefined;
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#idle.push(one);
      return;
    }
    this.#waiting.delete(next);
    next.grant(one);
  }

  /** `one` exists no longer. */
  withdraw(one: T): void {
    const at = this.#idle.indexOf(one);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  /** Fails those that wait, and those that come until something is offered. */
  refuse(error: Error): void {
    this.#refusal ??= error;
    for (const waiter of this.#waiting) waiter.fail(error);
    this.#waiting.clear();
  }

  /** Fails those that wait, and those that come. */
  end(error: Error): void {
    this.#ended = true;
    this.#refusal = undefined;
    this.refuse(error);
  }
}
