/** Watches how late this process is, so that a test can tell what it measures from what the machine does. */
export class Stalls implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #due = performance.now() + EVERY_MS;
  #worstMs = 0;

  constructor() {
    this.#timer = setInterval(() => this.#look(), EVERY_MS);
  }

  /** The most by which a timer of this process was late, in milliseconds. */
  get worstMs(): number {
    this.#look();
    return this.#worstMs;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const now = performance.now();
    this.#worstMs = Math.max(this.#worstMs, now - this.#due);
    this.#due = now + EVERY_MS;
  }
}

const EVERY_MS = 10;
