import { Call, MeasuredCall } from '@temper/core/policy';
import { TOLERANCE } from '../rules/rule.ts';

/** What a call holds at a gate while it runs. */
export interface Held {
  readonly at: Holders;
  readonly units: number;
  /** The waits of its parts, at any gate. */
  waits: Set<Wait> | undefined;
  ended: boolean;
}

/** A part of calls that hold units waits for more of them, at this gate or another one. */
interface Wait {
  readonly at: Holders;
  readonly cost: number;
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

/** What the calls that this one is a part of hold, at all gates. */
function heldAround(call: Call): Held[] {
  const found: Held[] = [];
  for (let each: Call | undefined = call; each !== undefined; each = each.outer) {
    if (!(each instanceof HeldCall || each instanceof MeasuredHeldCall)) continue;
    if (!each.held.ended) found.push(each.held);
  }
  return found;
}

/**
 * The calls that hold permits of one gate, and which of them cannot end, as parts of them wait for more.
 * A part is known by its `parent`. A call that is only made from inside another one may be work that this one
 * does not wait for, which has to wait its turn.
 */
export class Holders {
  readonly #most: (stuck: number) => number;
  /** The calls of which parts wait. */
  readonly #waiting: Set<Held> = new Set();
  /** Their units. */
  #units = 0;

  /** @param most - units that can be in use, when so many of them cannot come back */
  constructor(most: (stuck: number) => number) {
    this.#most = most;
  }

  /** A call has taken units. */
  hold(units: number): Held {
    return { at: this, units, waits: undefined, ended: false };
  }

  /** A call is about to give its units back. */
  end(held: Held): void {
    held.ended = true;
    this.#remove(held);
  }

  /**
   * A call waits for units of this gate.
   *
   * @returns `stuck` when it would wait for itself, by whatever gates; otherwise what is to be called when it
   * waits no longer, or `undefined` when it is no part of a call that holds anything
   */
  beginWait(call: Call, cost: number): (() => void) | 'stuck' | undefined {
    const around = heldAround(call);
    if (around.length === 0) return undefined;
    const wait: Wait = { at: this, cost };
    for (const held of around) held.at.#add(held, wait);
    const endWait = (): void => {
      for (const held of around) {
        held.waits?.delete(wait);
        if (held.waits?.size === 0) held.at.#remove(held);
      }
    };
    if (!isStuck(wait)) return endWait;
    endWait();
    return 'stuck';
  }

  #add(held: Held, wait: Wait): void {
    held.waits ??= new Set();
    held.waits.add(wait);
    if (this.#waiting.has(held)) return;
    this.#waiting.add(held);
    this.#units += held.units;
  }

  #remove(held: Held): void {
    if (this.#waiting.delete(held)) this.#units -= held.units;
  }

  /** The calls of which parts wait. */
  get waiting(): Iterable<Held> {
    return this.#waiting;
  }

  /** Whether a wait ends when no more units than those of calls of which parts wait are kept. */
  mayServe(cost: number, kept: number = this.#units): boolean {
    return kept + cost <= this.#most(kept) + TOLERANCE;
  }
}

/**
 * Whether a wait can never end: it waits for units of calls whose parts wait for units, and so on to itself.
 * Of all waits that it depends on, those are taken away that can be served; what is left waits for each other.
 */
function isStuck(wait: Wait): boolean {
  if (wait.at.mayServe(wait.cost)) return false; // nearly always
  const stuck = new Set([wait]);
  for (const each of stuck) {
    for (const { waits } of each.at.waiting) for (const next of waits ?? []) stuck.add(next);
  }
  for (let before = 0; before !== stuck.size; ) {
    before = stuck.size;
    const kept = new Map<Holders, number>();
    for (const { at } of stuck) if (!kept.has(at)) kept.set(at, unitsKept(at, stuck));
    for (const each of stuck)
      if (each.at.mayServe(each.cost, kept.get(each.at))) stuck.delete(each);
  }
  return stuck.has(wait);
}

/** Units of the calls of which parts are stuck. */
function unitsKept({ waiting }: Holders, stuck: ReadonlySet<Wait>): number {
  let units = 0;
  for (const held of waiting) {
    if ([...(held.waits ?? [])].some((wait) => stuck.has(wait))) units += held.units;
  }
  return units;
}
