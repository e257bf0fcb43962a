/** Weight of the newest answer in the usual latency; the rest is those before it. */
const NEWEST = 0.1;
/** A call that was ended from outside within so many times the usual latency may have been about to be answered. */
const TIMES = 2;
/** So many times the usual latency is kept free for a call that waits: about half of them take longer than usual. */
const NEEDED_TIMES = 1.5;
/** After so many milliseconds without an answer, what was usual once may no longer be true. */
const DOUBT_AFTER_MS = 10_000;
/** It is then taken for so much longer, as the dependency may have become slower. */
const RISE = 1.5;

/**
 * How long calls take that are answered. A call that waits for its turn has that much less time for its
 * operation: where nothing is left, all of them are ended in the middle, and none is answered any more.
 */
export class UsualLatency {
  #ms: number | undefined;
  /** When a call was answered, or the latency was raised, on the monotonic scale in milliseconds. */
  #since = 0;

  /** @param now - monotonic milliseconds */
  answered(ms: number, now: number): void {
    this.#ms = this.#ms === undefined ? ms : this.#ms + NEWEST * (ms - this.#ms);
    this.#since = now;
  }

  /**
   * The time that a call should have left when its turn comes, in milliseconds; 0 where that is not known.
   *
   * @param now - monotonic milliseconds
   */
  neededMs(now: number): number {
    return this.#ms === undefined || this.#isOld(now) ? 0 : this.#ms * NEEDED_TIMES;
  }

  /**
   * A call was ended from outside.
   *
   * @param ms - how long it had run
   * @param waited - whether it had waited for its turn
   * @param now - monotonic milliseconds
   * @returns whether that tells nothing about the dependency: it had no more time than others take
   */
  cutShort(ms: number, waited: boolean, now: number): boolean {
    if (this.#ms === undefined) return waited;
    if (ms <= this.#ms * TIMES) return true;
    if (waited && this.#isOld(now)) {
      this.#ms *= RISE;
      this.#since = now;
    }
    return false;
  }

  #isOld(now: number): boolean {
    return now - this.#since > DOUBT_AFTER_MS;
  }
}
