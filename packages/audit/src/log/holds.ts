/** The legal holds that the statements of a log have put into force. */
export class Holds {
  readonly #names: Set<string> = new Set();

  add(name: string): void {
    this.#names.add(name);
  }

  /** Applies a statement, `hold` or `release`. */
  apply(action: string, { name }: { readonly [key: string]: unknown }): void {
    if (typeof name !== 'string') return;
    if (action === 'hold') this.#names.add(name);
    else if (action === 'release') this.#names.delete(name);
  }

  get names(): readonly string[] {
    return [...this.#names];
  }
}
