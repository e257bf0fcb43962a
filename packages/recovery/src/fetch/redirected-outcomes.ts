import type { Operation, Outcome } from '@temper/core';
import { type Call, PolicyBase, type PolicyDescription } from '@temper/core/policy';
import type { ResolvedHttpOptions } from './options.ts';
import { redirectedFrom } from './route.ts';

/**
 * Tells the circuit of the origin that a request was redirected to how the request ended: the one that
 * redirected has done its work.
 */
export class RedirectedOutcomes extends PolicyBase {
  /** Requests to the origin that are in flight. */
  inFlight = 0;
  readonly #tell: (origin: string, outcome: Outcome<unknown>, call: Call) => void;

  constructor(
    { name, clock }: ResolvedHttpOptions,
    tell: (origin: string, outcome: Outcome<unknown>, call: Call) => void,
  ) {
    super(name, clock);
    this.#tell = tell;
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    this.inFlight++;
    try {
      const value = await operation(call);
      this.#ended({ ok: true, value }, call);
      return value;
    } catch (error) {
      this.#ended({ ok: false, error }, call);
      throw error;
    } finally {
      this.inFlight--;
    }
  }

  #ended(outcome: Outcome<unknown>, call: Call): void {
    const elsewhere = redirectedFrom();
    if (elsewhere !== undefined) this.#tell(elsewhere, outcome, call);
  }

  override describe(): PolicyDescription {
    return { kind: 'breaker' }; // it neither waits nor repeats
  }

  stats(): object {
    return { inFlight: this.inFlight };
  }

  [Symbol.dispose](): void {
    // There is nothing to release.
  }
}
