import { isThenable } from './timeout.ts';

/** Called with what a listener threw; never throws itself. */
export type ListenerErrorHandler = (error: unknown) => void;

/**
 * Listeners of one kind of event. One that throws, or whose promise rejects, is reported and harms
 * neither the call nor the other listeners.
 */
export class Listeners<E> {
  #listeners: readonly ((event: E) => unknown)[] = [];
  readonly #onError: ListenerErrorHandler;

  constructor(onError: ListenerErrorHandler) {
    this.#onError = onError;
  }

  /** Whether nobody listens, so that the event need not be made. */
  get empty(): boolean {
    return this.#listeners.length === 0;
  }

  /** Adds a listener; disposing of the result takes it off again. */
  add(listener: (event: E) => unknown): Disposable {
    const entry = (event: E): unknown => listener(event);
    this.#listeners = [...this.#listeners, entry];
    return {
      [Symbol.dispose]: () => {
        this.#listeners = this.#listeners.filter((other) => other !== entry);
      },
    };
  }

  emit(event: E): void {
    for (const listener of this.#listeners) {
      notify(listener, event, this.#onError);
    }
  }
}

/** Calls one callback so that whatever it does, the caller goes on. */
export function notify<E>(
  callback: ((event: E) => unknown) | undefined,
  event: E,
  onError: ListenerErrorHandler,
): void {
  if (callback === undefined) return;
  try {
    const result = callback(event);
    if (isThenable(result)) result.then(undefined, onError);
  } catch (error) {
    onError(error);
  }
}
