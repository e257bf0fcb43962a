/** Who hears that a limit may have room again. */
export class Watchers {
  readonly #listeners: Set<() => void> = new Set();

  add(listener: () => void): void {
    this.#listeners.add(listener);
  }

  delete(listener: () => void): void {
    this.#listeners.delete(listener);
  }

  tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
