import { Call, type Timing } from './context.ts';

/**
 * A context for a policy that judges a dependency by the time that calls take: how much of it was our own
 * waiting, and whether the answer is that of the operation at all.
 */
export class MeasuredCall extends Call {
  #waitedMs = 0;
  #timing: Timing = 'measured';
  #joined = 0;
  #parallel = false;

  /** @param call - of which the new context is a part */
  constructor(call: Call) {
    super(call.attempt, call.deadline, call.labels, call);
  }

  /**
   * How long the call has waited by our own doing, in milliseconds: for its turn at limits, for a lease of a
   * store, between attempts. Of parts of it that ran at the same time it is not known whether all of them
   * waited: then their waits do not count.
   */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /** What the time of the call tells of its operation. */
  get timing(): Timing {
    return this.#timing;
  }

  override noteWait(ms: number): void {
    if (!this.#parallel) this.#waitedMs += ms;
    super.noteWait(ms);
  }

  override noteParallel(): void {
    this.#parallel = true;
    super.noteParallel();
  }

  override noteTiming(timing: 'unknown' | 'longer'): void {
    // It may be a call that has joined that is answered from elsewhere, while the operation goes on.
    if (timing === 'unknown' && this.#joined > 0) return;
    if (this.#timing !== 'longer') this.#timing = timing;
    super.noteTiming(timing);
  }

  override join(): 'free' | 'held' | 'late' {
    this.#joined++;
    if (this.#joined > 1) this.noteParallel();
    return super.join();
  }

  override leave(): void {
    this.#joined--;
    super.leave();
  }
}
