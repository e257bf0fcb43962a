/**
 * Names the keys. The part in braces, the hash tag, decides about the slot in a cluster: all keys of one
 * limit are in one slot, and those of different limits are spread, unless a tag is given for all of them.
 */
export class Keys {
  readonly #prefix: string;
  readonly #tag: string | undefined;

  constructor(prefix: string, tag?: string) {
    this.#prefix = prefix;
    this.#tag = tag;
  }

  /** @param kind - what is stored under the key */
  of(kind: string, ...names: readonly string[]): string {
    // With lengths, two lists of names never have the same key; and the tag never begins with a brace.
    const all = names.map(sized).join(':');
    const where = this.#tag === undefined ? `{${all}}` : `{${sized(this.#tag)}}:${all}`;
    return `${this.#prefix}:${kind}:${where}`;
  }
}

function sized(name: string): string {
  return `${name.length}:${name}`;
}
