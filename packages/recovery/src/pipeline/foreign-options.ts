import { type Call, listenForAbort, stopListening } from '@temper/core/policy';

/**
 * The second argument of `execute` for the policy of another library. Some take options, such as
 * `{ signal }`, others take the AbortSignal itself. This is both: an AbortSignal with the call options
 * as properties, `signal` among them, which is the object itself.
 *
 * It is a signal of its own that follows the call's: a property on the signal of the caller would be
 * visible to everybody who holds it.
 */
export class ForeignOptions {
  readonly given: AbortSignal & { readonly signal: AbortSignal };
  readonly #source: AbortSignal | undefined;
  readonly #abort: () => void;

  constructor(call: Call) {
    const controller = new AbortController();
    const { signal } = controller;
    // The deadline of the call comes as an abort, and not as an option.
    for (const [name, value] of Object.entries({ signal, ...call.labels })) {
      if (value !== undefined) Object.defineProperty(signal, name, { value, enumerable: true });
    }
    this.given = Object.setPrototypeOf(signal, PROTOTYPE);
    this.#source = call.abortable;
    this.#abort = () => controller.abort(call.reason);
    if (call.aborted) this.#abort();
    else if (this.#source !== undefined) listenForAbort(this.#source, this.#abort);
  }

  /** Stops following the signal of the call. */
  release(): void {
    stopListening(this.#source, this.#abort);
  }
}

/**
 * The members of an AbortSignal, not enumerable, so that a policy which hands its options on to one that
 * refuses unknown options hands on only what a call can have.
 */
const PROTOTYPE: object = Object.create(AbortSignal.prototype, {
  ...hidden(EventTarget.prototype),
  ...hidden(AbortSignal.prototype),
  [Symbol.toStringTag]: { value: 'Object' },
});

function hidden(members: object): PropertyDescriptorMap {
  const descriptors = Object.entries(Object.getOwnPropertyDescriptors(members));
  return Object.fromEntries(
    descriptors.map(([name, one]) => [name, { ...one, enumerable: false }]),
  );
}
