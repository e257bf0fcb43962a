/**
 * Holds on a circuit by several people at once: it is held while at least one holds it. Each can let
 * go once, however often it is disposed of.
 */
export class Isolation {
  #holders = 0;
  readonly #onFirst: () => void;
  readonly #onLast: () => void;

  constructor(onFirst: () => void, onLast: () => void) {
    this.#onFirst = onFirst;
    this.#onLast = onLast;
  }

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
