import { RESERVATION_MS, type StoreRule } from './store.ts';

/** What one caller has had of a limit. */
interface Share {
  /** Units that were granted, those of long ago counting less. */
  units: number;
  weight: number;
  /** Units that it was told to wait for. */
  wanted: number;
  /** Until when it is expected to ask for them again. */
  until: number;
}

/** What the shares of all say about one call. */
export interface FairTerms {
  /** Units that are left to callers who wait and have had less than their share. */
  readonly held: number;
  /** How far ahead a place may be, in milliseconds. */
  readonly aheadMs: number;
}

/** Most callers that are told apart. Of more, the one that has had least starts anew. */
const MAX_CALLERS = 64;
/** How far ahead of the present a caller gets places that has had much, where others ask too, in milliseconds. */
const SHORT_AHEAD_MS = RESERVATION_MS / 10;
/** Shortest time over which what callers have had is compared, in milliseconds. */
const MIN_MEMORY_MS = 1000;
/** How much later than announced a caller may ask again and still be waited for, in milliseconds. */
const GRACE_MS = 250;
/** A caller that has had less counts as one that has had nothing. */
const NOTHING = 0.01;
/** How often a caller asks that waits for places, or for others, in milliseconds: its calls go together then. */
const ASK_MS = SHORT_AHEAD_MS / 2;

/**
 * What each caller has had of one limit, over all processes, and which callers wait: a caller that has had
 * more than its max-min fair share by weight leaves room for the others that wait. Nobody is held back while no
 * other waits, so that the whole limit is used.
 *
 * Units are counted with exponential decay. Callers are few enough to be read with each call: those that
 * have had least are forgotten for others, as only those that have had much are ever held back (as the
 * counters of A. Metwally, D. Agrawal and A. El Abbadi, "Efficient Computation of Frequent and Top-k
 * Elements in Data Streams", ICDT 2005).
 *
 * Source of the share: D. Bertsekas and R. Gallager, "Data Networks", 1987, section 6.5.2.
 */
export class FairShares {
  readonly #callers = new Map<string, Share>();
  #at: number;
  #memoryMs = MIN_MEMORY_MS;
  #capacity = 0;
  #scheduled = false;
  #graceMs = GRACE_MS;

  constructor(now: number) {
    this.#at = now;
  }

  /** Brings the shares to the present, for calls under a rule. */
  sync(rule: StoreRule, now: number): void {
    this.#scheduled = 'burst' in rule;
    this.#memoryMs =
      'burst' in rule ? Math.max(MIN_MEMORY_MS, rule.windowMs / rule.limit) : rule.windowMs;
    this.#graceMs = Math.min(GRACE_MS, this.#memoryMs / 4);
    this.#capacity = (rule.limit / rule.windowMs) * this.#memoryMs;
    const left = Math.exp(-Math.max(0, now - this.#at) / this.#memoryMs);
    this.#at = now;
    for (const [caller, share] of this.#callers) {
      share.units *= left;
      share.until = Math.min(share.until, now + this.#memoryMs + this.#graceMs);
      if (share.until <= now) share.wanted = 0;
      if (share.wanted === 0 && share.units < NOTHING) this.#callers.delete(caller);
    }
  }

  /**
   * What holds for a call of this caller now.
   *
   * @param free - units that nobody uses
   */
  termsFor(caller: string, weight: number, free: number): FairTerms {
    const own = this.#of(caller, weight);
    if (this.#callers.size === 1) return { held: 0, aheadMs: RESERVATION_MS };
    const level = this.#level(own, free);
    const share = level * own.weight;
    const aheadMs = own.units >= share / 2 ? SHORT_AHEAD_MS : RESERVATION_MS;
    if (own.units < share) return { held: 0, aheadMs };
    let held = 0;
    for (const other of this.#callers.values()) {
      if (other === own) continue;
      held += Math.max(0, Math.min(other.wanted, level * other.weight - other.units));
    }
    return { held, aheadMs };
  }

  /** The max-min fair share of a caller of weight 1, where who waits wants without end. */
  #level(asking: Share, free: number): number {
    let total = 0;
    let weights = 0;
    const sated: { readonly units: number; readonly weight: number }[] = [];
    for (const share of this.#callers.values()) {
      total += share.units;
      weights += share.weight;
      if (share !== asking && share.wanted === 0) sated.push(share);
    }
    let left = Math.max(total + free, this.#capacity);
    sated.sort((a, b) => a.units / a.weight - b.units / b.weight);
    for (const { units, weight } of sated) {
      if (units / weight >= left / weights) break;
      left -= units;
      weights -= weight;
    }
    return left / weights;
  }

  /**
   * When a call that waits is to ask again, in milliseconds.
   *
   * @param waitMs - when its units are there, if nothing else changes
   * @param aheadMs - how long before that it can get them
   */
  askAgainMs(waitMs: number, aheadMs: number): number {
    if (this.#scheduled) return Math.max(ASK_MS, waitMs - aheadMs);
    // When the units are there, it waits for others, of whom nobody knows when they ask.
    return waitMs > 0 ? waitMs : Math.min(ASK_MS, this.#memoryMs / 10);
  }

  took(caller: string, weight: number, cost: number): void {
    const share = this.#of(caller, weight);
    share.units += cost;
    share.wanted = Math.max(0, share.wanted - cost);
  }

  /**
   * Notes what a caller waits for.
   *
   * @param askMs - when it is to ask again, in milliseconds
   */
  waits(caller: string, weight: number, units: number, askMs: number): void {
    const share = this.#of(caller, weight);
    // Units of a window stay until they are taken, so that more can be kept: the caller may wait elsewhere too.
    share.wanted = this.#scheduled ? units : Number.POSITIVE_INFINITY;
    share.until = this.#at + Math.min(askMs, this.#memoryMs) + this.#graceMs;
  }

  #of(caller: string, weight: number): Share {
    let share = this.#callers.get(caller);
    if (share === undefined) {
      if (this.#callers.size >= MAX_CALLERS) this.#forgetLeast();
      share = { units: 0, weight, wanted: 0, until: 0 };
      this.#callers.set(caller, share);
    }
    share.weight = weight;
    return share;
  }

  #forgetLeast(): void {
    let least: string | undefined;
    let units = Number.POSITIVE_INFINITY;
    for (const [caller, share] of this.#callers) {
      if (share.units >= units) continue;
      least = caller;
      ({ units } = share);
    }
    if (least !== undefined) this.#callers.delete(least);
  }
}
