/** The living owners of one kind. Weakly held: an owner nobody else holds is dropped. */
export class Owners {
  readonly refs: Set<WeakRef<object>> = new Set();
  /** Size at which to look for those that are gone. */
  #sweepAt = 64;

  add(owner: object): Disposable {
    if (this.refs.size >= this.#sweepAt) {
      for (const ref of this.refs) if (ref.deref() === undefined) this.refs.delete(ref);
      this.#sweepAt = Math.max(64, this.refs.size * 2);
    }
    return new Observed(this.refs, owner);
  }
}

class Observed implements Disposable {
  readonly #refs: Set<WeakRef<object>>;
  readonly #ref: WeakRef<object>;

  constructor(refs: Set<WeakRef<object>>, owner: object) {
    this.#refs = refs;
    this.#ref = new WeakRef(owner);
    refs.add(this.#ref);
  }

  [Symbol.dispose](): void {
    this.#refs.delete(this.#ref);
  }
}
