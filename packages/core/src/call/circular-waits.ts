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
  /**
   * Whether calls before it in a queue may wait for what its calls hold. It must not wait for its turn then, only for
   * room. It can become so while it waits.
   */
  urgent: boolean;
}

/** The wait of a part, as it is seen by what it waits at. */
export interface PartWait {
  readonly urgent: boolean;
  /** It waits no longer. */
  end(): void;
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
  readonly #onUrgent: (() => void) | undefined;
  /** The parts that wait here and are not urgent. */
  readonly #calm: Set<Wait> = new Set();
  /** Where parts of those that hold something here wait, and how many times. */
  readonly #waitsAt: Map<Holders, number> = new Map();
  /** Those of which parts wait. */
  readonly #waiting: Set<Held> = new Set();
  /** Their units. */
  #units = 0;

  /**
   * @param fits - whether `cost` units can be had at some time, when `stuck` of those in use never come back
   * @param onUrgent - called when waits have become urgent
   */
  constructor(fits: (cost: number, stuck: number) => boolean, onUrgent?: () => void) {
    this.#fits = fits;
    this.#onUrgent = onUrgent;
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
   * @returns `stuck` when it would wait for itself, by whatever limiters and runs; `undefined` when it is no part of
   * anything that is held
   */
  beginWait(call: Part, cost: number): PartWait | 'stuck' | undefined {
    const around = heldAround(call);
    if (around.length === 0) return undefined;
    const wait: Wait & PartWait = {
      at: this,
      cost,
      urgent: false,
      end: () => {
        this.#calm.delete(wait);
        for (const held of around) {
          held.at.leadsTo(this, -1);
          held.waits?.delete(wait);
          if (held.waits?.size === 0) held.at.removeWaiting(held);
        }
      },
    };
    this.#calm.add(wait);
    for (const held of around) {
      held.waits ??= new Set();
      held.waits.add(wait);
      held.at.addWaiting(held);
      held.at.leadsTo(this, 1);
    }
    if (isStuck(wait)) {
      wait.end();
      return 'stuck';
    }
    const reached = this.#reached();
    if (around.some(({ at }) => reached.has(at))) for (const each of reached) each.hurry();
    return wait;
  }

  /** What is waited for, directly or not, when something is waited for here. */
  #reached(): ReadonlySet<Holders> {
    const reached = new Set<Holders>([this]);
    for (const each of reached) for (const next of each.leads) reached.add(next);
    return reached;
  }

  /** Holders of something here wait there. */
  get leads(): Iterable<Holders> {
    return this.#waitsAt.keys();
  }

  leadsTo(other: Holders, more: number): void {
    const waits = (this.#waitsAt.get(other) ?? 0) + more;
    if (waits > 0) this.#waitsAt.set(other, waits);
    else this.#waitsAt.delete(other);
  }

  /** Holders here may wait for what the parts that wait here hold. */
  hurry(): void {
    if (this.#calm.size === 0) return;
    for (const wait of this.#calm) wait.urgent = true;
    this.#calm.clear();
    this.#onUrgent?.();
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
