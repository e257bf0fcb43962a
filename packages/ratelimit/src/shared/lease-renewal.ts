import { LeaseLostError } from './errors.ts';
import type { ResolvedSharedConcurrency } from './options.ts';
import { readLost, readPermits } from './store-replies.ts';
import { type TimerEntry, TimerHeap } from './timer-heap.ts';

/** A lease that is renewed until it is given back. */
export interface HeldLease {
  /** Names it in the store. */
  readonly id: string;
  readonly cost: number;
  /** Its permits were lost, and others have them now. */
  lose(error: LeaseLostError): void;
}

/**
 * Renews the leases that this process holds: all of a key in one request, every third of a lease's
 * duration. A lease that the store has lost, as by a flush or a long interruption, is registered again
 * at once if its permits are still free; otherwise its holder is told. No timer exists while no lease is
 * held, and none keeps the process alive.
 */
export class LeaseRenewal {
  readonly #options: ResolvedSharedConcurrency;
  readonly #timers: TimerHeap;
  readonly #held = new Map<string, Set<HeldLease>>();
  #next: TimerEntry | undefined;

  constructor(options: ResolvedSharedConcurrency) {
    this.#options = options;
    this.#timers = new TimerHeap(options.clock, true);
  }

  add(key: string, lease: HeldLease): void {
    const held = this.#held.get(key) ?? new Set();
    this.#held.set(key, held);
    held.add(lease);
    if (this.#next === undefined) this.#schedule();
  }

  remove(key: string, lease: HeldLease): void {
    const held = this.#held.get(key);
    held?.delete(lease);
    if (held?.size === 0) this.#held.delete(key);
    if (this.#held.size > 0 || this.#next === undefined) return;
    this.#timers.clear(this.#next);
    this.#next = undefined;
  }

  #schedule(): void {
    const { clock, leaseMs } = this.#options;
    this.#next = this.#timers.add(clock.monotonic() + leaseMs / 3, () => {
      for (const [key, held] of this.#held) void this.#renew(key, held);
      this.#schedule();
    });
  }

  /** Never rejects. */
  async #renew(key: string, held: ReadonlySet<HeldLease>): Promise<void> {
    const { store, name: limiter, leaseMs } = this.#options;
    const leases = [...held].map(({ id }) => id);
    try {
      const reply = await store.renewPermits({ limiter, key, leases, leaseMs });
      const lost = readLost(reply, leases);
      if (lost.size > 0) await this.#recover(key, held, lost);
    } catch {
      // The next renewal comes before the lease expires.
    }
  }

  /** Registers lost leases again, in the order in which they were granted. */
  async #recover(
    key: string,
    held: ReadonlySet<HeldLease>,
    lost: ReadonlySet<string>,
  ): Promise<void> {
    const { store, name: limiter, leaseMs, limit } = this.#options;
    const missing = [...held].filter(({ id }) => lost.has(id));
    if (missing.length === 0) return;
    const calls = missing.map(({ id: lease, cost }) => ({ lease, cost }));
    const reply = await store.takePermits({ limiter, key, calls, limit, leaseMs });
    const { granted } = readPermits(reply, calls.length, leaseMs);
    const late = missing.slice(0, granted).filter((lease) => !held.has(lease));
    for (const lease of missing.slice(granted)) {
      if (!held.has(lease)) continue;
      this.remove(key, lease);
      lease.lose(new LeaseLostError(limiter));
    }
    // Given back while they were registered again.
    const leases = late.map(({ id }) => id);
    if (late.length > 0) await store.returnPermits({ limiter, key, leases, leaseMs });
  }
}
