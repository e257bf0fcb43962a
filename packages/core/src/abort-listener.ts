import { reportCallbackError } from './telemetry/diagnostics.ts';

/** Called once when a signal aborts. An object saves the closure. */
export type AbortListener = (() => void) | { handleEvent(): void };

/**
 * All listeners of one signal, behind one listener that the signal sees. A thousand calls that share a signal
 * are a thousand listeners: Node 20 warns of a leak from the eleventh on, and every release of Node looks for
 * the one to remove among all of them.
 */
class AbortListeners {
  readonly #signal: AbortSignal;
  /** Nearly always there is just one, which is quicker without the Set. */
  #first: AbortListener | undefined;
  readonly #others = new Set<AbortListener>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(listener: AbortListener): void {
    if (this.#first === undefined && this.#others.size === 0) {
      this.#signal.addEventListener('abort', this); // at first, as a signal that refuses keeps nothing
      this.#first = listener;
    } else if (listener !== this.#first) {
      this.#others.add(listener);
    }
  }

  delete(listener: AbortListener): boolean {
    if (listener === this.#first) this.#first = undefined;
    else if (!this.#others.delete(listener)) return false;
    if (this.#first === undefined && this.#others.size === 0) this.#stop();
    return true;
  }

  /** As an EventTarget does it: in order, without those removed or added meanwhile, each whatever others throw. */
  handleEvent(): void {
    const first = this.#first === undefined ? [] : [this.#first];
    for (const listener of [...first, ...this.#others]) {
      if (!this.delete(listener)) continue;
      try {
        if (typeof listener === 'function') listener();
        else listener.handleEvent();
      } catch (error) {
        reportCallbackError('signal', 'abort', error);
      }
    }
  }

  #stop(): void {
    try {
      this.#signal.removeEventListener('abort', this);
    } catch (error) {
      reportCallbackError('signal', 'removeEventListener', error);
    }
  }
}

const listenersOf = new WeakMap<AbortSignal, AbortListeners>();

/**
 * Adds a listener for the abort of a signal. It is called at most once, in the order of addition among the
 * listeners added here, and in the asynchronous context of whoever aborts. An error that it throws is logged.
 *
 * @throws what the signal throws, which keeps no listener then
 */
export function listenForAbort(signal: AbortSignal, listener: AbortListener): void {
  let listeners = listenersOf.get(signal);
  if (listeners === undefined) {
    listeners = new AbortListeners(signal);
    listenersOf.set(signal, listeners);
  }
  listeners.add(listener);
}

/**
 * Removes a listener added by {@link listenForAbort}. An error of the signal is logged: it must not take the
 * place of the result of the call that has ended.
 */
export function stopListening(signal: AbortSignal | undefined, listener: AbortListener): void {
  if (signal !== undefined) listenersOf.get(signal)?.delete(listener);
}
