import type { Clock } from '@temper/core';
import type { HedgeBudget } from './options.ts';

/** Extra attempts that can be made at once, after a time in which none were needed. */
const BURST = 10;
/** One more extra attempt per this time, so that a hedge with few calls is not without any. */
const TRICKLE_MS = 10_000;

/**
 * The budget of a hedge that is given none: a token bucket that calls fill when they are answered. In an
 * outage nothing fills it, so that a failing dependency gets no more than the burst.
 *
 * Sources: the throttling of hedges in gRPC (proposal A6), and `maxExtraLoad` of Finagle's backup
 * requests.
 */
export class ExtraLoad implements HedgeBudget {
  readonly #share: number;
  readonly #clock: Clock;
  #tokens: number = BURST;
  #at: number;

  /** @param share - extra attempts that an answered call allows */
  constructor(share: number, clock: Clock) {
    this.#share = share;
    this.#clock = clock;
    this.#at = clock.monotonic();
  }

  /** Counts a call that was answered. */
  deposit(): void {
    this.#add(this.#share);
  }

  withdraw(): boolean {
    const now = this.#clock.monotonic();
    this.#add(Math.max(0, now - this.#at) / TRICKLE_MS);
    this.#at = now;
    // The epsilon keeps ten shares of 0.1 from falling short of one.
    if (this.#tokens < 1 - 1e-9) return false;
    this.#tokens -= 1;
    return true;
  }

  refund(): void {
    this.#add(1);
  }

  #add(tokens: number): void {
    this.#tokens = Math.min(Math.max(BURST, this.#share), this.#tokens + tokens);
  }
}
