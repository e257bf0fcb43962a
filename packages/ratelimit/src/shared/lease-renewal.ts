import { LeaseLostError } from './errors.ts';
import type { ResolvedSharedConcurrency } from './options.ts';
import type { PermitResult } from './store.ts';
import type { StoreAccess } from './store-access.ts';
import { ignoringFailure } from './store-access.ts';
import { type TimerEntry, TimerHeap } from './timer-heap.ts';

/** A lease that is renewed until it is given back. */
export interface HeldLease {
  /** Names it in the store. */
  readonly id: string;
  readonly cost: number;
  /** Its permits were lost, and others have them now. */
  lose(error: LeaseLostError): void;
}

/** The leases of one key. */
interface KeyLeases {
  /** Most permits in use at the same time: what the plan of the key says at present. */
  readonly limit: () => number;
  readonly leases: Set<HeldLease>;
}

/**
 * Renews the leases that this process holds: all of a key in one request, every third of a lease's
 * duration. A lease that the store has lost, as by a flush or a long interruption, is registered again
 * at once if its permits are still free; otherwise its holder is told. No timer exists while no lease is
 * held, and none keeps the process alive.
 */
export class LeaseRenewal {
  readonly #options: ResolvedSharedConcurrency;
  readonly #store: StoreAccess;
  readonly #timers: TimerHeap;
  readonly #held = new Map<string, KeyLeases>();
  #next: TimerEntry | undefined;

  constructor(options: ResolvedSharedConcurrency, store: StoreAccess) {
    this.#options = options;
    this.#store = store;
    this.#timers = new TimerHeap(options.clock, true);
  }

  /** @param limit - of the key; asked when its leases have to be registered again */
  add(key: string, lease: HeldLease, limit: () => number): void {
    const held = this.#held.get(key) ?? { limit, leases: new Set() };
    this.#held.set(key, held);
    held.leases.add(lease);
    if (this.#next === undefined) this.#schedule();
  }

  remove(key: string, lease: HeldLease): void {
    const held = this.#held.get(key);
    held?.leases.delete(lease);
    if (held?.leases.size === 0) this.#held.delete(key);
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
  async #renew(key: string, held: KeyLeases): Promise<void> {
    const leases = [...held.leases].map(({ id }) => id);
    try {
      const lost = await this.#store.renewPermits(key, leases, this.#options.leaseMs);
      if (lost.size > 0) await this.#recover(key, held, lost);
    } catch {
      // The next renewal comes before the lease expires.
    }
  }

  /** Registers lost leases again, in the order in which they were granted. */
  async #recover(
    key: string,
    { limit, leases: held }: KeyLeases,
    lost: ReadonlySet<string>,
  ): Promise<void> {
    const missing = [...held].filter(({ id }) => lost.has(id));
    if (missing.length === 0) return;
    const calls = missing.map(({ id: lease, cost }) => ({ lease, cost }));
    const { name, leaseMs } = this.#options;
    /** Given back while they were registered again. */
    const returnUnheld = ({ granted }: PermitResult): void => {
      const late = missing.slice(0, granted).filter((lease) => !held.has(lease));
      const leases = late.map(({ id }) => id);
      if (late.length > 0) void ignoringFailure(this.#store.returnPermits(key, leases, leaseMs));
    };
    const result = await this.#store.takePermits(
      key,
      calls,
      { limit: limit(), leaseMs },
      returnUnheld,
    );
    returnUnheld(result);
    for (const lease of missing.slice(result.granted)) {
      if (!held.has(lease)) continue;
      this.remove(key, lease);
      lease.lose(new LeaseLostError(name));
    }
  }
}
