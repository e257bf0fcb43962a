import { inCurrentContext } from './async-context.ts';
import type { CallContext, Outcome } from './contract.ts';
import { checkType } from './options.ts';
import type { ShouldHandle } from './should-handle.ts';
import { reportCallbackError } from './telemetry/diagnostics.ts';

/**
 * Calls a user's predicate. An error, and a promise in place of an answer, is logged on
 * OpenTelemetry's `diag` and counts as `false`.
 *
 * @param owner - the policy's name
 * @param option - the option that holds the predicate
 */
export function ask<Args extends readonly unknown[]>(
  owner: string,
  option: string,
  predicate: (...args: Args) => boolean,
  ...args: Args
): boolean {
  try {
    const answer: unknown = predicate(...args);
    return isPlain(answer) ? Boolean(answer) : !refusePromise(owner, option, answer);
  } catch (error) {
    reportCallbackError(owner, option, error);
    return false;
  }
}

/** {@link ask} for `shouldHandle`, without an array of arguments. */
export function decide(
  owner: string,
  shouldHandle: ShouldHandle,
  outcome: Outcome<unknown>,
  call: CallContext,
): boolean {
  try {
    const answer: unknown = shouldHandle(outcome, call);
    return isPlain(answer) ? Boolean(answer) : !refusePromise(owner, 'shouldHandle', answer);
  } catch (error) {
    reportCallbackError(owner, 'shouldHandle', error);
    return false;
  }
}

/**
 * Calls a user's function that computes a number. An error, a promise, `NaN` and a negative number are
 * logged and count as `undefined`, as does `undefined` itself.
 */
export function askNumber<Args extends readonly unknown[]>(
  owner: string,
  option: string,
  compute: (...args: Args) => number | undefined,
  ...args: Args
): number | undefined {
  try {
    const answer: unknown = compute(...args);
    if (answer === undefined || (typeof answer === 'number' && answer >= 0)) return answer;
    if (isPlain(answer) || !refusePromise(owner, option, answer)) {
      reportCallbackError(owner, option, new TypeError('It must return a number >= 0.'));
    }
  } catch (error) {
    reportCallbackError(owner, option, error);
  }
  return undefined;
}

/**
 * Calls a user's hook. What it throws, or rejects with if it returns a promise, is logged on
 * OpenTelemetry's `diag` and goes no further.
 */
export function notify<Args extends readonly unknown[]>(
  owner: string,
  option: string,
  hook: ((...args: Args) => unknown) | undefined,
  ...args: Args
): void {
  if (hook === undefined) return;
  try {
    const result = hook(...args);
    if (!isPlain(result)) watch(owner, option, result);
  } catch (error) {
    reportCallbackError(owner, option, error);
  }
}

/** @returns whether `answer` is a promise, which is then logged, with its rejection */
function refusePromise(owner: string, option: string, answer: unknown): boolean {
  if (typeof (answer as { then?: unknown }).then !== 'function') return false;
  watch(owner, option, answer);
  reportCallbackError(
    owner,
    option,
    new TypeError('It must answer at once, and returned a promise.'),
  );
  return true;
}

/** Handles the rejection of a promise whose value nobody needs. Throws what its `then` throws. */
function watch(owner: string, option: string, promise: unknown): void {
  if (typeof (promise as { then?: unknown }).then !== 'function') return;
  new Promise((resolve) => resolve(promise)).then(undefined, (error: unknown) =>
    reportCallbackError(owner, option, error),
  );
}

/** Whether `value` cannot be a promise. */
function isPlain(value: unknown): boolean {
  return (typeof value !== 'object' || value === null) && typeof value !== 'function';
}

/** A function that listens to an event, and to what comes with it. */
type Listener<E, With extends unknown[]> = (event: E, ...rest: With) => unknown;

/**
 * Listeners of one kind of event: the hook in a policy's options, and those that are added later. One
 * that throws, or whose promise rejects, is logged and affects neither the call nor the other listeners.
 * Events emitted by a listener are delivered after the present one, so that everybody sees the same
 * order, and in the asynchronous context in which they were emitted.
 */
export class Listeners<E, With extends unknown[] = []> {
  #listeners: readonly Listener<E, With>[];
  #queue: (() => void)[] | undefined;
  readonly #owner: string;
  readonly #option: string;

  /**
   * @param owner - the policy's name
   * @param option - the hook and the method by which listeners are added
   * @param hook - the first listener, from the options
   */
  constructor(owner: string, option: string, hook?: Listener<E, With>) {
    this.#owner = owner;
    this.#option = option;
    this.#listeners = hook === undefined ? [] : [hook];
  }

  /** Whether there is no listener, so that the event need not be created. */
  get empty(): boolean {
    return this.#listeners.length === 0;
  }

  /**
   * Adds a listener; disposing of the result removes it.
   *
   * @throws {TypeError} unless it is a function
   */
  add(listener: Listener<E, With>): Disposable {
    checkType(this.#owner, `the listener of ${this.#option}`, listener, 'function');
    const entry: Listener<E, With> = (...args) => listener(...args);
    this.#listeners = [...this.#listeners, entry];
    return {
      [Symbol.dispose]: () => {
        this.#listeners = this.#listeners.filter((other) => other !== entry);
      },
    };
  }

  emit(event: E, ...rest: With): void {
    const deliver = (): void => {
      for (const listener of this.#listeners) {
        notify(this.#owner, this.#option, listener, event, ...rest);
      }
    };
    if (this.#queue !== undefined) {
      const inContext = inCurrentContext();
      this.#queue.push(() => inContext(deliver));
      return;
    }
    this.#queue = [];
    deliver();
    for (const next of this.#queue) next();
    this.#queue = undefined;
  }
}
