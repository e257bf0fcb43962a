/** The living owners of one kind. Weakly held: an owner nobody else holds is dropped. */
export class Owners {
  readonly refs: Set<WeakRef<object>> = new Set();
  readonly #ended: ((owner: object) => void) | undefined;
  /** Size at which to look for those that are gone. */
  #sweepAt = 64;

  /** @param ended - hears of an owner that is no longer observed; shared, so that each is small */
  constructor(ended?: (owner: object) => void) {
    this.#ended = ended;
  }

  add(owner: object): Disposable {
    if (this.refs.size >= this.#sweepAt) {
      for (const ref of this.refs) if (ref.deref() === undefined) this.refs.delete(ref);
      this.#sweepAt = Math.max(64, this.refs.size * 2);
    }
    return new Observed(this, owner);
  }

  remove(ref: WeakRef<object>): void {
    if (!this.refs.delete(ref) || this.#ended === undefined) return;
    const owner = ref.deref();
    if (owner !== undefined) this.#ended(owner);
  }
}

class Observed implements Disposable {
  readonly #owners: Owners;
  readonly #ref: WeakRef<object>;

  constructor(owners: Owners, owner: object) {
    this.#owners = owners;
    this.#ref = new WeakRef(owner);
    owners.refs.add(this.#ref);
  }

  [Symbol.dispose](): void {
    this.#owners.remove(this.#ref);
  }
}
