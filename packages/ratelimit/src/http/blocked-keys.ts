/** Most keys that are kept; of more, the one blocked longest ago is forgotten. */
const MAX_KEYS = 10_000;

/**
 * The keys that were blocked for a refusal and have not passed since. A refusal of one of them is the
 * block's own, and must not prolong it.
 */
export class BlockedKeys {
  readonly #keys = new Set<string>();

  /** @returns whether it was not there */
  add(limit: string, key: string | undefined): boolean {
    const id = idOf(limit, key);
    if (this.#keys.has(id)) return false;
    this.#keys.add(id);
    if (this.#keys.size > MAX_KEYS) {
      for (const oldest of this.#keys) {
        this.#keys.delete(oldest);
        break;
      }
    }
    return true;
  }

  /** A request of the key has passed. */
  remove(limit: string, key: string | undefined): void {
    if (this.#keys.size > 0) this.#keys.delete(idOf(limit, key));
  }
}

/** A name has no line break, and a limit of all requests is none of a key. */
const idOf = (limit: string, key: string | undefined): string =>
  key === undefined ? limit : `${limit}\n${key}`;
