import { messageOf } from '@temper/core/policy';
import { FAULT_NAMES, type FaultName, type FaultSource, type FaultState } from './fault.ts';

interface Switched {
  readonly off: AbortController;
  readonly since: number;
}

/** Switches the demo's faults on and off. */
export class FaultBoard {
  readonly #sources: Readonly<Record<FaultName, FaultSource>>;
  readonly #on = new Map<FaultName, Switched>();
  readonly #results = new Map<FaultName, string>();
  readonly #listeners = new Set<(state: FaultState) => void>();
  /** The last queued change. Changes run one after the other, in the order of the calls. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(sources: Readonly<Record<FaultName, FaultSource>>) {
    this.#sources = sources;
  }

  list(): readonly FaultState[] {
    return FAULT_NAMES.map((name) => this.state(name));
  }

  state(name: FaultName): FaultState {
    const { title, about, kind, runbook } = this.#sources[name];
    const since = this.#on.get(name)?.since;
    const result = this.#results.get(name);
    return { name, title, about, kind, runbook, on: since !== undefined, since, result };
  }

  /** Calls `listener` with the state of each changed fault until the result is disposed. */
  onChange(listener: (state: FaultState) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Switches a fault on or off; resolves when the change took effect. @throws the error of the source */
  set(name: FaultName, on: boolean): Promise<FaultState> {
    return this.#afterOthers(async () => {
      if (on) await this.#begin(name);
      else await this.#end(name);
      return this.state(name);
    });
  }

  /** Switches these faults on and all others off. */
  only(names: readonly FaultName[]): Promise<void> {
    return this.#afterOthers(async () => {
      const others = [...this.#on.keys()].filter((name) => !names.includes(name));
      const ended = await Promise.allSettled(others.map((name) => this.#end(name)));
      for (const end of ended) if (end.status === 'rejected') throw end.reason;
      for (const name of names) await this.#begin(name);
    });
  }

  clear(): Promise<void> {
    return this.only([]);
  }

  #afterOthers<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #begin(name: FaultName): Promise<void> {
    if (this.#on.has(name)) return;
    const source = this.#sources[name];
    const switched: Switched = { off: new AbortController(), since: Date.now() };
    this.#on.set(name, switched);
    this.#results.delete(name);
    const begun = source.begin(switched.off.signal);
    if (source.kind === 'burst') {
      void this.#burst(name, switched, begun);
    } else {
      try {
        await begun;
      } catch (error) {
        this.#on.delete(name);
        throw error;
      }
    }
    this.#tell(name);
  }

  async #burst(
    name: FaultName,
    switched: Switched,
    begun: Promise<string | undefined>,
  ): Promise<void> {
    const result = await begun.catch((error: unknown) => `failed: ${messageOf(error)}`);
    if (this.#on.get(name) !== switched) return;
    if (result !== undefined) this.#results.set(name, result);
    this.#on.delete(name);
    this.#tell(name);
  }

  async #end(name: FaultName): Promise<void> {
    const switched = this.#on.get(name);
    if (switched === undefined) return;
    this.#on.delete(name);
    switched.off.abort();
    await this.#sources[name].end?.();
    this.#tell(name);
  }

  #tell(name: FaultName): void {
    const state = this.state(name);
    for (const listener of this.#listeners) listener(state);
  }
}
