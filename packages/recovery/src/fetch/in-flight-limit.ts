import type { Operation } from '@temper/core';
import { type Call, type Counts, PolicyBase, type PolicyDescription } from '@temper/core/policy';
import { TooManyInFlightError } from './errors.ts';
import type { ResolvedHttpOptions } from './options.ts';

/** The limit, in requests, and what its errors say of it. */
interface Limit {
  readonly limit: number;
  /** The option that it was set by. */
  readonly option: 'maxInFlight' | 'maxInFlightPerOrigin';
  /** Where rejected requests are counted. */
  readonly counts: Counts<'rejected'>;
}

/**
 * Limits the requests in flight, without a queue. For more than that (a queue, rates, adaptive limits)
 * there are the limiters of `@temper/ratelimit`.
 */
export class InFlightLimit extends PolicyBase {
  readonly #limit: Limit;
  #inFlight = 0;

  constructor({ name, clock }: ResolvedHttpOptions, limit: Limit) {
    super(name, clock);
    this.#limit = limit;
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const { cost } = call;
    const { limit, option, counts } = this.#limit;
    if (this.#inFlight + cost > limit) {
      counts.rejected++;
      throw new TooManyInFlightError(this.name, limit, option);
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
    const { limit, counts } = this.#limit;
    return { limit, inFlight: this.#inFlight, rejected: counts.rejected };
  }

  [Symbol.dispose](): void {
    // There are no levels, and its counts are those of the whole policy.
  }
}
