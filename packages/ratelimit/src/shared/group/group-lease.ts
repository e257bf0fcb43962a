import { checkNumber } from '@temper/core/policy';
import { costOf } from '../../joint/joint-ask.ts';
import type { Lease } from '../../limiter.ts';
import { isLosable, type LosableLease } from '../backend.ts';
import type { LeaseLostError } from '../errors.ts';
import type { GroupAnswer } from './group-ask.ts';

/** What a call holds of several limits. */
export class GroupLease implements LosableLease {
  readonly cost: number;
  readonly #owner: string;
  readonly #answers: readonly GroupAnswer[];
  readonly #losable: readonly LosableLease[];
  /** Units or permits may have come back. */
  readonly #wake: () => void;
  #signal: AbortSignal | undefined;
  #settled = false;

  constructor(owner: string, cost: number, answers: readonly GroupAnswer[], wake: () => void) {
    this.#owner = owner;
    this.cost = cost;
    this.#answers = answers;
    this.#losable = this.#leases().filter(isLosable);
    this.#wake = wake;
  }

  #leases(): readonly Lease[] {
    return this.#answers.map(({ decision }) => decision.lease!);
  }

  get signal(): AbortSignal {
    this.#signal ??= AbortSignal.any(this.#losable.map(({ signal }) => signal!));
    return this.#signal;
  }

  watch(lost: ((error: LeaseLostError) => void) | undefined): void {
    for (const lease of this.#losable) lease.watch(lost);
  }

  /** @throws {StoreUnavailableError} (as a rejection) when a store cannot be told; the others are told */
  async settle(cost: number): Promise<void> {
    checkNumber(this.#owner, 'cost', cost, { min: 0, infinite: false });
    if (this.#settled) return;
    const costs = this.#answers.map(({ part: { limit, member } }) =>
      cost === 0 ? 0 : costOf(this.#owner, { ...limit, limiter: member }, cost, 0),
    );
    this.#settled = true;
    const told = this.#leases().map(async (lease, i) => lease.settle?.(costs[i]!));
    const results = await Promise.allSettled(told);
    this.#wake();
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  /** Gives everything back, for a call that has not taken place. */
  undo(): void {
    for (const { undo } of this.#answers) undo();
    this.#wake();
  }

  release(): void {
    for (const lease of this.#leases()) lease.release();
    this.#wake();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
