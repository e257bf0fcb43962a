export interface HeartbeatOptions {
  /** Asks the other side for a sign of life. Any answer is one, an error too. */
  readonly ask: () => Promise<unknown>;
  /** Silence after which it counts as hanging, in milliseconds. */
  readonly timeoutMs: number;
  /** Called once, when it has been silent for so long. */
  readonly onSilent: () => void;
}

/** Beats in a timeout. */
const BEATS = 4;

/**
 * Notices a process that hangs. A stall of this process is no silence of the other: late beats are one beat,
 * and silence is counted in beats.
 */
export class Heartbeat implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #missed = 0;
  #waiting = false;

  constructor(options: HeartbeatOptions) {
    this.#timer = setInterval(() => this.#beat(options), options.timeoutMs / BEATS);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #beat({ ask, onSilent }: HeartbeatOptions): void {
    if (this.#waiting) {
      this.#missed += 1;
      if (this.#missed < BEATS) return;
      this[Symbol.dispose]();
      onSilent();
      return;
    }
    this.#waiting = true;
    const answered = (): void => {
      this.#waiting = false;
      this.#missed = 0;
    };
    try {
      void ask().then(answered, answered);
    } catch {
      // Its connection is closed: there is nobody to answer, and the next beats are missed.
    }
  }
}
