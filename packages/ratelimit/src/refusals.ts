import { Listeners, notify } from '@temper/core/policy';
import type { RateLimitExceededError } from './errors.ts';

/** Called with the error of each refusal. What it throws is logged. */
export type RefusalListener = (error: RateLimitExceededError) => unknown;

/** Something that refuses calls, and whose refusals can be listened to. */
export interface Refusing {
  /**
   * Adds a listener as the option `onReject`; disposing of the result removes it.
   *
   * @throws {TypeError} unless it is a function
   */
  onReject(listener: RefusalListener): Disposable;
}

/** Tells the option `onReject`, and those who listen besides, of refusals. */
export class Refusals implements Refusing {
  readonly #name: string;
  readonly #hook: RefusalListener | undefined;
  /** Created for the first listener: most limiters have none. */
  #listeners: Listeners<RateLimitExceededError> | undefined;

  constructor(name: string, hook: RefusalListener | undefined) {
    this.#name = name;
    this.#hook = hook;
    this.#listeners = undefined;
  }

  onReject(listener: RefusalListener): Disposable {
    this.#listeners ??= new Listeners(this.#name, 'onReject', this.#hook);
    return this.#listeners.add(listener);
  }

  tell(error: RateLimitExceededError): void {
    if (this.#listeners === undefined) notify(this.#name, 'onReject', this.#hook, error);
    else this.#listeners.emit(error);
  }
}
