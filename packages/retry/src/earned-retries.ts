import type { Clock } from '@temper/core';

/** What is left is compared with one retry to within this: five fifths of a retry are one. */
const EPSILON = 1e-9;

/** How many retries successes earn, and how long they last. */
export interface EarnedRetriesOptions {
  /** Retries that each success earns; >= 0. */
  readonly ratio: number;
  /** Retries that are there at first, and the most that are kept for longer than a window; >= 0. */
  readonly burst: number;
  /** How long what was earned beyond the burst is kept on average, in milliseconds: it decays by it; > 0. */
  readonly windowMs: number;
  readonly clock: Clock;
}

/**
 * A bucket of retries that is filled by successes, and by nothing else: neither by time nor by calls. A call that
 * succeeds earns a share of one, and gives back those that it took, unless they followed a time-out: one that is
 * over has left work behind, and costs twice as much. While nothing succeeds, no more retries are made than were
 * left. A dependency that answers later than its callers wait then gets no more than the calls themselves, can
 * work off its queue, and recovers.
 *
 * A client of many calls needs more than the burst for a short fault. What its successes have earned lately is
 * therefore kept beyond it, and decays. A success is counted without a look at the clock: at the next
 * failure, those since the last one are taken to be spread evenly.
 *
 * Sources: the retry quota of the AWS SDKs (standard retry mode, where a time-out costs twice as much), the
 * throttling of retries in gRPC (proposal A6), and M. Brooker, "Fixing retries with token buckets and circuit
 * breakers", 2022.
 */
export class EarnedRetries {
  readonly #ratio: number;
  readonly #burst: number;
  readonly #windowMs: number;
  readonly #clock: Clock;
  /** Successes since `#at`. */
  #successes = 0;
  /** What was left at `#at`, and what was given back since then. */
  #left: number;
  /** What was taken and has not come back: no more can be given back. */
  #taken = 0;
  /** On the monotonic scale, in milliseconds. */
  #at: number;

  constructor({ ratio, burst, windowMs, clock }: EarnedRetriesOptions) {
    this.#ratio = ratio;
    this.#burst = burst;
    this.#windowMs = windowMs;
    this.#clock = clock;
    this.#left = burst;
    this.#at = clock.monotonic();
  }

  /**
   * Counts a success.
   *
   * @param returned - retries that the call gives back; at most what was taken
   */
  deposit(returned: number): void {
    this.#successes++;
    this.refund(returned);
  }

  /**
   * Gives back what was taken for a retry that was not made.
   *
   * @param cost - in retries; at most what was taken
   */
  refund(cost: number): void {
    const returned = Math.min(cost, this.#taken);
    this.#taken -= returned;
    this.#left += returned;
  }

  /**
   * Takes a retry; `false` when not enough is left.
   *
   * @param cost - in retries
   */
  withdraw(cost: number): boolean {
    if (this.available() < cost) return false;
    this.#left = Math.max(0, this.#left - cost);
    this.#taken += cost;
    return true;
  }

  /** Whole retries that are left. */
  available(): number {
    const now = this.#clock.monotonic();
    const windows = Math.max(0, now - this.#at) / this.#windowMs; // a clock may be set back
    const earned = this.#ratio * this.#successes;
    const recently = windows > 0 ? (earned * -Math.expm1(-windows)) / windows : earned;
    const kept = Math.min(this.#burst, this.#left);
    const beyond = (this.#left - kept) * Math.exp(-windows);
    this.#left = Math.max(Math.min(this.#burst, kept + earned), kept + recently) + beyond;
    this.#successes = 0;
    this.#at = now;
    return Math.floor(this.#left + EPSILON);
  }
}
