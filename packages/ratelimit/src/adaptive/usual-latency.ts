/** Weight of the newest answer in the usual latency; the rest is those before it. */
const NEWEST = 0.1;
/** A call that was ended from outside within so many times the usual latency may have been about to be answered. */
const TIMES = 2;
/** After so many milliseconds without an answer, ... */
const DOUBT_AFTER_MS = 10_000;
/** ... the usual latency is taken for so much longer, as the dependency may have become slower. */
const RISE = 1.5;

/**
 * How long calls take that are answered, and what a call tells that was ended from outside: nothing, where
 * it had no more time than others take. Calls that wait long for their turn have little time left then; taken
 * for overload, they would keep the limit low, and the calls waiting, for ever.
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
   * A call was ended from outside.
   *
   * @param ms - how long it had run
   * @param waited - whether it had waited for its turn
   * @param now - monotonic milliseconds
   * @returns whether that tells nothing about the dependency
   */
  cutShort(ms: number, waited: boolean, now: number): boolean {
    if (this.#ms === undefined) return waited;
    if (ms <= this.#ms * TIMES) return true;
    if (waited && now - this.#since > DOUBT_AFTER_MS) {
      this.#ms *= RISE;
      this.#since = now;
    }
    return false;
  }
}
