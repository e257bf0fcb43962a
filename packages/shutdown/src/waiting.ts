import type { Handler } from './runner.ts';

/** Handlers that wait for their phase. */
export class Waiting {
  readonly #phases = new Map<string, Handler[]>();
  readonly #closed = new Set<string>();

  /** Adds a handler. @returns false when its phase is over */
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

  /** The phase's own list, in order of registration: whoever runs it empties it. */
  open(phase: string): Handler[] {
    let waiting = this.#phases.get(phase);
    if (waiting === undefined) {
      waiting = [];
      this.#phases.set(phase, waiting);
    }
    return waiting;
  }

  /** Ends a phase: handlers added to it later have come too late. */
  close(phase: string): void {
    this.#closed.add(phase);
  }

  /** All that wait, as `phase/name`. */
  names(): string[] {
    return [...this.#phases.values()].flat().map(({ phase, name }) => `${phase}/${name}`);
  }
}
