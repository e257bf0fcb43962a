import { constants } from 'node:os';

/** An event of the process and its listener. */
export type ProcessListener = readonly [event: string, listener: (value: never) => void];

/** Counts the listeners that keep the IPC channel alive. Not documented, and may be absent. */
interface Channel {
  refCounted?(): void;
  unrefCounted?(): void;
}

/**
 * Adds listeners to the process. No other code in this package does. Disposing of the result removes
 * them. They do not keep the process alive.
 */
export function listenToProcess(listeners: readonly ProcessListener[]): Disposable {
  const channel = (): Channel | undefined => process.channel as Channel | undefined;
  const entries = listeners.map(([event, listener]) => {
    return [event, listener as (...args: unknown[]) => void] as const;
  });
  for (const [event, listener] of entries) {
    process.on(event, listener);
    // Node counts it as a reason to keep the channel to the parent process open.
    if (event === 'message') channel()?.unrefCounted?.();
  }
  return {
    [Symbol.dispose]: () => {
      for (const [event, listener] of entries.splice(0)) {
        if (event === 'message') channel()?.refCounted?.();
        process.off(event, listener);
      }
    },
  };
}

/**
 * Ignores signals that the process sends to itself, as long as the result is not disposed. A library
 * with a cleanup of its own removes its listener after the cleanup and raises the signal again, to end
 * the process. That would look like a second signal of the operator, or, if the library has removed
 * every listener, kill the process.
 *
 * @param isOurs - whether a signal is handled by the shutdown
 */
export function ignoreOwnSignals(isOurs: (signal: string) => boolean): Disposable {
  const { kill } = process;
  const replacement = (pid: number, signal: string | number = 'SIGTERM'): true => {
    const name = typeof signal === 'number' ? signalName(signal) : signal;
    if (pid === process.pid && name !== undefined && isOurs(name)) return true;
    return kill.call(process, pid, signal);
  };
  process.kill = replacement;
  return {
    [Symbol.dispose]: () => {
      // Somebody else may have replaced it since.
      if (process.kill === replacement) process.kill = kill;
    },
  };
}

function signalName(number: number): string | undefined {
  return Object.entries(constants.signals).find(([, value]) => value === number)?.[0];
}

/** Adds the listeners of one key to the process. */
type Listen<K> = (key: K) => Disposable;

/**
 * Listeners by key, each present as long as at least one registration asks for it. Disposing of a
 * registration does not affect the others.
 */
export class SharedListeners<K> {
  readonly #listen: Listen<K>;
  readonly #entries = new Map<K, { readonly listening: Disposable; registrations: number }>();

  constructor(listen: Listen<K>) {
    this.#listen = listen;
  }

  /** Whether the listeners of a key are present. */
  readonly has = (key: unknown): boolean => this.#entries.has(key as K);

  /** Adds the listeners of `keys` that are missing. */
  register(keys: Iterable<K>): Disposable {
    const mine = [...new Set(keys)].map((key) => {
      const entry = this.#entries.get(key) ?? { listening: this.#listen(key), registrations: 0 };
      entry.registrations++;
      this.#entries.set(key, entry);
      return [key, entry] as const;
    });
    return {
      [Symbol.dispose]: () => {
        for (const [key, entry] of mine.splice(0)) {
          if (--entry.registrations > 0 || this.#entries.get(key) !== entry) continue;
          this.#entries.delete(key);
          entry.listening[Symbol.dispose]();
        }
      },
    };
  }

  /** Removes every listener. */
  removeAll(): void {
    for (const { listening } of this.#entries.values()) listening[Symbol.dispose]();
    this.#entries.clear();
  }
}
