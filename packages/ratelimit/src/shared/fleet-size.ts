import { randomUUID } from 'node:crypto';
import type { Clock } from '@temper/core';
import type { RateLimitStore } from './store.ts';

/** How long an announcement holds. It is made anew at a third of it, while calls come. */
const TTL_MS = 30_000;

/** Names this process among those that share limits. */
export const NODE_ID: string = randomUUID();

/** How many processes share a limit: as told, or as counted through the store. */
export class FleetSize {
  readonly #store: RateLimitStore;
  readonly #limiter: string;
  readonly #clock: Clock;
  readonly #told: number | undefined;
  #counted = 1;
  #announceAt = Number.NEGATIVE_INFINITY;

  constructor(store: RateLimitStore, limiter: string, clock: Clock, told: number | undefined) {
    this.#store = store;
    this.#limiter = limiter;
    this.#clock = clock;
    this.#told = told;
  }

  get nodes(): number {
    return this.#told ?? this.#counted;
  }

  /** Announces this process when it is time to. Costs a comparison when it is not. */
  keepUp(now: number): void {
    if (now < this.#announceAt || this.#told !== undefined) return;
    this.#announceAt = now + TTL_MS / 3;
    this.#store.announce({ limiter: this.#limiter, node: NODE_ID, ttlMs: TTL_MS }).then(
      (nodes) => {
        this.#counted = Math.max(1, nodes);
      },
      () => {
        // The limit itself will meet the same failure, and tell of it. Try again soon.
        this.#announceAt = Math.min(this.#announceAt, this.#clock.monotonic() + 1000);
      },
    );
  }
}
