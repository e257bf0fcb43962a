import type { Operation } from '@temper/core';
import { type Call, type Counts, PolicyBase, type PolicyDescription } from '@temper/core/policy';
import { TooManyInFlightError } from './errors.ts';
import type { ResolvedHttpOptions } from './options.ts';
import { rejectedCounts } from './telemetry.ts';

/**
 * Limits the requests in flight, without a queue. For more than that (a queue, rates, adaptive limits)
 * there are the limiters of `@temper/ratelimit`.
 */
export class InFlightLimit extends PolicyBase {
  readonly #limit: number;
  readonly #counts: Counts<'rejected'>;
  #inFlight = 0;

  constructor({ name, maxInFlight, clock }: ResolvedHttpOptions) {
    super(name, clock);
    this.#limit = maxInFlight;
    this.#counts = rejectedCounts(this);
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { cost } = call;
    if (this.#inFlight + cost > this.#limit) {
      this.#counts.rejected++;
      throw new TooManyInFlightError(this.name, this.#limit);
    }
    this.#inFlight += cost;
    try {
      return await operation(call);
    } finally {
      this.#inFlight -= cost;
    }
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  stats(): { readonly limit: number; readonly inFlight: number; readonly rejected: number } {
    return { limit: this.#limit, inFlight: this.#inFlight, rejected: this.#counts.rejected };
  }

  [Symbol.dispose](): void {
    // There are no levels, and the totals stay.
  }
}
