import type { Clock } from '@temper/core';
import type { RateLimitStore } from './store.ts';
import { type TimerEntry, TimerHeap } from './timer-heap.ts';

/**
 * Renews the leases that this process holds: all of a key in one request, every third of a lease's
 * duration. No timer exists while no lease is held, and none keeps the process alive.
 */
export class LeaseRenewal {
  readonly #store: RateLimitStore;
  readonly #limiter: string;
  readonly #leaseMs: number;
  readonly #clock: Clock;
  readonly #timers: TimerHeap;
  readonly #held = new Map<string, Set<string>>();
  #next: TimerEntry | undefined;

  constructor(store: RateLimitStore, limiter: string, leaseMs: number, clock: Clock) {
    this.#store = store;
    this.#limiter = limiter;
    this.#leaseMs = leaseMs;
    this.#clock = clock;
    this.#timers = new TimerHeap(clock, true);
  }

  add(key: string, lease: string): void {
    const held = this.#held.get(key) ?? new Set();
    this.#held.set(key, held);
    held.add(lease);
    if (this.#next === undefined) this.#schedule();
  }

  remove(key: string, lease: string): void {
    const held = this.#held.get(key);
    held?.delete(lease);
    if (held?.size === 0) this.#held.delete(key);
    if (this.#held.size > 0 || this.#next === undefined) return;
    this.#timers.clear(this.#next);
    this.#next = undefined;
  }

  #schedule(): void {
    this.#next = this.#timers.add(this.#clock.monotonic() + this.#leaseMs / 3, () => {
      for (const [key, held] of this.#held) void this.#renew(key, held);
      this.#schedule();
    });
  }

  /** Never rejects. */
  async #renew(key: string, held: Set<string>): Promise<void> {
    const request = { limiter: this.#limiter, key, leases: [...held], leaseMs: this.#leaseMs };
    try {
      const lost = await this.#store.renewPermits(request);
      // Their calls go on; there is nothing left to renew.
      for (const lease of lost) held.delete(lease);
    } catch {
      // The next renewal comes before the lease expires.
    }
  }
}
