import type { Handler } from './runner.ts';

/** The registered handlers whose phase has not run. */
export class PendingHandlers {
  readonly #phases = new Map<string, Handler[]>();
  readonly #closed = new Set<string>();

  has(handler: Handler): boolean {
    return this.#phases.get(handler.phase)?.includes(handler) ?? false;
  }

  /** Adds a handler. @returns false if its phase is over */
  add(handler: Handler): boolean {
    if (this.#closed.has(handler.phase)) return false;
    this.open(handler.phase).push(handler);
    return true;
  }

  remove(handler: Handler): void {
    const waiting = this.open(handler.phase);
    const at = waiting.indexOf(handler);
    if (at >= 0) waiting.splice(at, 1);
  }

  /** The mutable list of a phase, in order of registration. The caller that runs the phase empties it. */
  open(phase: string): Handler[] {
    let waiting = this.#phases.get(phase);
    if (waiting === undefined) {
      waiting = [];
      this.#phases.set(phase, waiting);
    }
    return waiting;
  }

  /** Marks a phase as over; {@link add} refuses its handlers from then on. */
  close(phase: string): void {
    this.#closed.add(phase);
  }

  /** All pending handlers. */
  all(): readonly Handler[] {
    return [...this.#phases.values()].flat();
  }

  /** All pending handlers, as `phase/name`. */
  names(): string[] {
    return this.all().map(({ phase, name }) => `${phase}/${name}`);
  }
}
