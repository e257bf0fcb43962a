/** What a call or a shared run holds while it runs: others wait until it ends. */
export interface Held {
  readonly at: Holders;
  readonly units: number;
  /** The waits of its parts, anywhere. */
  waits: Set<Wait> | undefined;
  ended: boolean;
}

/** A part of calls that hold something waits for more: for units of the same kind, or of another one. */
interface Wait {
  readonly at: Holders;
  readonly cost: number;
}

/** What is read of a `Call`, whose class asks this module. */
interface Part {
  readonly outer: Part | undefined;
  readonly held: Held | undefined;
}

/** What the calls that this one is a part of hold, anywhere. */
function heldAround(call: Part): Held[] {
  const found: Held[] = [];
  for (let each: Part | undefined = call; each !== undefined; each = each.outer) {
    if (each.held?.ended === false) found.push(each.held);
  }
  return found;
}

/**
 * Those who hold the units of one limiter, or the one unit of a shared run, and which of them cannot end, as parts
 * of them wait for more. A part is known by its `parent`. A call that is only made from inside another one may be
 * work that this one does not wait for, which has to wait its turn.
 */
export class Holders {
  readonly #fits: (cost: number, stuck: number) => boolean;
  /** Those of which parts wait. */
  readonly #waiting: Set<Held> = new Set();
  /** Their units. */
  #units = 0;

  /** @param fits - whether `cost` units can be had at some time, when `stuck` of those in use never come back */
  constructor(fits: (cost: number, stuck: number) => boolean) {
    this.#fits = fits;
  }

  /** A call, or a run, has taken units. */
  hold(units: number): Held {
    return { at: this, units, waits: undefined, ended: false };
  }

  /** It is about to give its units back. */
  end(held: Held): void {
    held.ended = true;
    this.removeWaiting(held);
  }

  /**
   * A call waits for units.
   *
   * @returns `stuck` when it would wait for itself, by whatever limiters and runs; otherwise what is to be called
   * when it waits no longer, or `undefined` when it is no part of anything that is held
   */
  beginWait(call: Part, cost: number): (() => void) | 'stuck' | undefined {
    const around = heldAround(call);
    if (around.length === 0) return undefined;
    const wait: Wait = { at: this, cost };
    for (const held of around) {
      held.waits ??= new Set();
      held.waits.add(wait);
      held.at.addWaiting(held);
    }
    const endWait = (): void => {
      for (const held of around) {
        held.waits?.delete(wait);
        if (held.waits?.size === 0) held.at.removeWaiting(held);
      }
    };
    if (!isStuck(wait)) return endWait;
    endWait();
    return 'stuck';
  }

  /** A part of the holder waits. Called by holders of other things, and by other copies of this module. */
  addWaiting(held: Held): void {
    if (this.#waiting.has(held)) return;
    this.#waiting.add(held);
    this.#units += held.units;
  }

  removeWaiting(held: Held): void {
    if (this.#waiting.delete(held)) this.#units -= held.units;
  }

  /** Those of which parts wait. */
  get waiting(): Iterable<Held> {
    return this.#waiting;
  }

  /** Whether a wait ends when no more units are kept than those of holders of which parts wait. */
  mayServe(cost: number, kept: number = this.#units): boolean {
    return this.#fits(cost, kept);
  }
}

/**
 * Whether a wait can never end: it waits for what is held by those whose parts wait for something held, and so on to
 * itself. Of all waits that it depends on, those are taken away that can be served; what is left waits for each other.
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

/** Units of the holders of which parts are stuck. */
function unitsKept({ waiting }: Holders, stuck: ReadonlySet<Wait>): number {
  let units = 0;
  for (const held of waiting) {
    if ([...(held.waits ?? [])].some((wait) => stuck.has(wait))) units += held.units;
  }
  return units;
}
