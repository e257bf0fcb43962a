import type { Flight } from './flight.ts';
import type { WorkSpan } from './telemetry.ts';

/** The runs of an operation that are in progress for one key. */
export interface Generation {
  /** How many runs are in progress. */
  running: number;
  /** How many have started; the order in which they did. */
  started: number;
  /** The latest run whose answer was kept. */
  kept: number;
  /** Whether the key was forgotten after these runs had started. */
  forgotten: boolean;
  /** The run that concurrent calls can join. */
  flight: Flight<unknown> | undefined;
  /** The span in which the flight works, for the spans of the calls that join it. */
  work: WorkSpan | undefined;
}

/**
 * Orders the runs for each key, so that an old answer never replaces a newer one, and no run that
 * started before a key was forgotten is joined or kept afterwards. Holds only keys with runs in
 * progress.
 */
export class Runs {
  readonly #generations = new Map<string, Generation>();

  /** The runs in progress for this key, if there are any. */
  peek(key: string): Generation | undefined {
    return this.#generations.get(key);
  }

  /** The generation that a run for this key belongs to now; one must start. */
  of(key: string): Generation {
    let generation = this.#generations.get(key);
    if (generation === undefined) {
      generation = {
        running: 0,
        started: 0,
        kept: 0,
        forgotten: false,
        flight: undefined,
        work: undefined,
      };
      this.#generations.set(key, generation);
    }
    return generation;
  }

  /** @returns the number of the run that starts, from 1 */
  start(generation: Generation): number {
    generation.running++;
    return ++generation.started;
  }

  /** @returns whether the answer of this run is the latest there is */
  mayKeep(generation: Generation, run: number): boolean {
    if (generation.forgotten || run < generation.kept) return false;
    generation.kept = run;
    return true;
  }

  end(key: string, generation: Generation): void {
    generation.running--;
    if (generation.running === 0 && this.#generations.get(key) === generation) {
      this.#generations.delete(key);
    }
  }

  forget(key: string): void {
    const generation = this.#generations.get(key);
    if (generation === undefined) return;
    generation.forgotten = true;
    this.#generations.delete(key);
  }

  clear(): void {
    for (const generation of this.#generations.values()) generation.forgotten = true;
    this.#generations.clear();
  }
}
