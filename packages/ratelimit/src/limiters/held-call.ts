import { Call, type Held, MeasuredCall } from '@temper/core/policy';

/** The context of a call that holds permits, by which the parts of it are recognised. */
export class HeldCall extends Call {
  readonly #held: Held;

  /** @param call - of which the new context is a part */
  constructor(call: Call, held: Held) {
    super(call.attempt, call.deadline, call.labels, call);
    this.#held = held;
  }

  override get held(): Held {
    return this.#held;
  }
}

/** As {@link HeldCall}, for a limit that follows the latencies. */
export class MeasuredHeldCall extends MeasuredCall {
  readonly #held: Held;

  constructor(call: Call, held: Held) {
    super(call);
    this.#held = held;
  }

  override get held(): Held {
    return this.#held;
  }
}
