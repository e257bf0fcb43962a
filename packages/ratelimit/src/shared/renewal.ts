import type { Clock } from '@temper/core';
import { Alarm, type AlarmEntry } from './alarm.ts';
import type { RateLimitStore } from './store.ts';

/**
 * Keeps leases alive while their holders are at it: all of a key in one question, every third of the
 * time that a lease lasts. Nothing runs while none is held, and no process lives longer for it.
 */
export class LeaseRenewal {
  readonly #store: RateLimitStore;
  readonly #limiter: string;
  readonly #leaseMs: number;
  readonly #clock: Clock;
  readonly #alarm: Alarm;
  readonly #held = new Map<string, Set<string>>();
  #next: AlarmEntry | undefined;

  constructor(store: RateLimitStore, limiter: string, leaseMs: number, clock: Clock) {
    this.#store = store;
    this.#limiter = limiter;
    this.#leaseMs = leaseMs;
    this.#clock = clock;
    this.#alarm = new Alarm(clock, true);
  }

  add(key: string, lease: string): void {
    const held = this.#held.get(key) ?? new Set();
    this.#held.set(key, held);
    held.add(lease);
    this.#next ??= this.#alarm.set(this.#clock.monotonic() + this.#leaseMs / 3, () =>
      this.#renew(),
    );
  }

  remove(key: string, lease: string): void {
    const held = this.#held.get(key);
    held?.delete(lease);
    if (held?.size === 0) this.#held.delete(key);
    if (this.#held.size > 0 || this.#next === undefined) return;
    this.#alarm.clear(this.#next);
    this.#next = undefined;
  }

  #renew(): void {
    for (const [key, held] of this.#held) {
      const request = { limiter: this.#limiter, key, leases: [...held], leaseMs: this.#leaseMs };
      this.#store.renewPermits(request).then(
        (lost) => {
          // Their calls go on; there is nothing left to renew.
          for (const lease of lost) held.delete(lease);
        },
        // Tried again in a third of the time; until then nothing is lost.
        () => undefined,
      );
    }
    this.#next = this.#alarm.set(this.#clock.monotonic() + this.#leaseMs / 3, () => this.#renew());
  }
}
