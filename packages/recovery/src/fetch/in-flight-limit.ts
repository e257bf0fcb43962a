import { type CallContext, type Operation, PolicyBase, type PolicyDescription } from '@temper/core';
import { METRIC_FETCH_REJECTED } from '../semconv.ts';
import { cell } from '../telemetry.ts';
import { TooManyInFlightError } from './errors.ts';
import type { ResolvedHttpOptions } from './options.ts';

/**
 * Bounds the requests under way, with no queue. For more than this (a queue, rates, adaptive limits)
 * give a limiter of `@temper/ratelimit`.
 */
export class InFlightLimit extends PolicyBase {
  readonly #limit: number;
  readonly #cell: { value: number };
  #inFlight = 0;
  #rejected = 0;

  constructor({ name, maxInFlight, clock }: ResolvedHttpOptions) {
    super(name, clock);
    this.#limit = maxInFlight;
    this.#cell = cell(METRIC_FETCH_REJECTED, name);
  }

  async runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    if (this.#inFlight >= this.#limit) {
      this.#rejected++;
      this.#cell.value++;
      throw new TooManyInFlightError(this.name, this.#limit);
    }
    this.#inFlight++;
    try {
      return await operation(context);
    } finally {
      this.#inFlight--;
    }
  }

  override describe(): PolicyDescription {
    return { kind: 'ratelimit' };
  }

  stats(): { readonly limit: number; readonly inFlight: number; readonly rejected: number } {
    return { limit: this.#limit, inFlight: this.#inFlight, rejected: this.#rejected };
  }

  [Symbol.dispose](): void {
    // Nothing to take back.
  }
}
