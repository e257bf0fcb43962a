/** Counts who holds a circuit isolated: the first one isolates it, the last one to leave releases it. */
export class Isolation {
  #holders = 0;
  readonly #onFirst: () => void;
  readonly #onLast: () => void;

  constructor(onFirst: () => void, onLast: () => void) {
    this.#onFirst = onFirst;
    this.#onLast = onLast;
  }

  /** Disposing of the result more than once has no further effect. */
  hold(): Disposable {
    if (this.#holders++ === 0) this.#onFirst();
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        if (--this.#holders === 0) this.#onLast();
      },
    };
  }
}
