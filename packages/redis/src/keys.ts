/**
 * Names keys so that all of one limit lie in one slot of a cluster, and those of different limits
 * are spread: the part in braces decides.
 */
export class Keys {
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** @param kind - what is kept there */
  of(kind: string, ...names: readonly string[]): string {
    // Lengths, so that no two lists of names make one key; and first, so that no brace can come before.
    const tag = names.map((name) => `${name.length}:${name}`).join(':');
    return `${this.#prefix}:${kind}:{${tag}}`;
  }
}
