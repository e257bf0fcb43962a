import { Call, MeasuredCall } from '@temper/core/policy';

/** What a call holds at a gate while it runs. */
export interface Held {
  readonly gate: object;
  readonly units: number;
  /** How many of its parts wait for more of the same. */
  waits: number;
  ended: boolean;
}

/** The context of a call that holds permits, by which the parts of it are recognised. */
export class HeldCall extends Call {
  readonly held: Held;

  /** @param call - of which the new context is a part */
  constructor(call: Call, held: Held) {
    super(call.attempt, call.deadline, call.labels, call);
    this.held = held;
  }
}

/** As {@link HeldCall}, for a limit that follows the latencies. */
export class MeasuredHeldCall extends MeasuredCall {
  readonly held: Held;

  constructor(call: Call, held: Held) {
    super(call);
    this.held = held;
  }
}

/** What the calls that this one is a part of hold at a gate. */
function heldAround(call: Call, gate: object): Held[] {
  const found: Held[] = [];
  for (let each: Call | undefined = call; each !== undefined; each = each.outer) {
    if (!(each instanceof HeldCall || each instanceof MeasuredHeldCall)) continue;
    const { held } = each;
    if (held.gate === gate && !held.ended) found.push(held);
  }
  return found;
}

/**
 * The calls that hold permits of one gate, and which of them cannot end, as parts of them wait for more.
 * A part is known by its `parent`. A call that is only made from inside another one may be work that this one
 * does not wait for, which has to wait its turn.
 */
export class Holders {
  /** Units of the calls of which parts wait. */
  #stuck = 0;

  /** A call has taken units. */
  hold(units: number): Held {
    return { gate: this, units, waits: 0, ended: false };
  }

  /** A call is about to give its units back. */
  end(held: Held): void {
    held.ended = true;
    if (held.waits > 0) this.#stuck -= held.units;
  }

  /** The units in use that cannot come back while this call waits, and others that wait. */
  stuckWith(call: Call): number {
    const more = heldAround(call, this).filter(({ waits }) => waits === 0);
    return more.reduce((sum, { units }) => sum + units, this.#stuck);
  }

  /** @returns to be called when the call waits no longer; `undefined` when it is no part of a holder */
  beginWait(call: Call): (() => void) | undefined {
    const around = heldAround(call, this);
    if (around.length === 0) return undefined;
    for (const held of around) if (held.waits++ === 0) this.#stuck += held.units;
    return () => {
      for (const held of around) if (--held.waits === 0 && !held.ended) this.#stuck -= held.units;
    };
  }
}
