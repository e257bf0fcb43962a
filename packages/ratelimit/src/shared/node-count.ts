import { randomUUID } from 'node:crypto';
import type { Clock } from '@temper/core';
import type { RateLimitStore } from './store.ts';
import { readNodes } from './store-replies.ts';

/** How long a registration lasts, in milliseconds. Renewed after a third of it, while calls come. */
const TTL_MS = 30_000;

/** Identifies this process among those that share limits. */
const NODE_ID: string = randomUUID();

/** How many processes share a limit: as configured, or as counted through the store. */
export class NodeCount {
  readonly #store: RateLimitStore;
  readonly #limiter: string;
  readonly #clock: Clock;
  readonly #configured: number | undefined;
  #counted = 1;
  #announceAt = Number.NEGATIVE_INFINITY;

  constructor(
    store: RateLimitStore,
    limiter: string,
    clock: Clock,
    configured: number | undefined,
  ) {
    this.#store = store;
    this.#limiter = limiter;
    this.#clock = clock;
    this.#configured = configured;
  }

  get nodes(): number {
    return this.#configured ?? this.#counted;
  }

  /** Registers this process when its registration is due. Costs a comparison when it is not. */
  refresh(now: number): void {
    if (now < this.#announceAt || this.#configured !== undefined) return;
    this.#announceAt = now + TTL_MS / 3;
    void this.#announce();
  }

  /** Never rejects. */
  async #announce(): Promise<void> {
    try {
      const request = { limiter: this.#limiter, node: NODE_ID, ttlMs: TTL_MS };
      this.#counted = readNodes(await this.#store.announce(request));
    } catch {
      // The limit's own request meets the same failure and reports it. Registers again after a second.
      this.#announceAt = Math.min(this.#announceAt, this.#clock.monotonic() + 1000);
    }
  }
}
