/**
 * Names the keys. The part in braces, the hash tag, decides about the slot in a cluster: all keys of one
 * limit are in one slot, and those of different limits are spread.
 */
export class Keys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** @param kind - what is stored under the key */
  of(kind: string, ...names: readonly string[]): string {
    // With lengths, two lists of names never have the same key; and the tag never begins with a brace.
    const tag = names.map((name) => `${name.length}:${name}`).join(':');
    return `${this.#prefix}:${kind}:{${tag}}`;
  }
}
