import { processState, randomId } from '@temper/core/policy';
import type { ResolvedSharedOptions } from './options.ts';
import type { StoreAccess } from './store-access.ts';

/** How long a registration lasts, in milliseconds. */
const TTL_MS = 30_000;

/** How often it is renewed and the others are counted, in milliseconds, while calls come. */
const REFRESH_MS = 2000;

/** For how long the processes are counted before the count is relied on, in milliseconds. */
const SETTLED_MS = 10_000;

/**
 * Identifies this process among those that share limits, whichever installed copy of this package they
 * were made by: a process that counts twice gets half its share.
 */
const node: () => { readonly id: string } = /* @__PURE__ */ processState('node.1', () => ({
  id: randomId(),
}));

/**
 * How many processes share a limit: as configured, or as counted through the store. The count is never
 * too low for long: it rises within two seconds, falls only when registrations expire, and is not relied
 * on until it is settled.
 */
export class NodeCount {
  readonly #options: ResolvedSharedOptions;
  readonly #store: StoreAccess;
  #counted = 1;
  #firstCountAt: number | undefined;
  #announceAt = Number.NEGATIVE_INFINITY;

  constructor(options: ResolvedSharedOptions, store: StoreAccess) {
    this.#options = options;
    this.#store = store;
  }

  get nodes(): number {
    const { nodes, expectedNodes, minNodes, clock } = this.#options;
    if (nodes !== undefined) return nodes;
    const settled =
      this.#firstCountAt !== undefined && clock.monotonic() - this.#firstCountAt >= SETTLED_MS;
    return Math.max(this.#counted, minNodes, settled ? 1 : expectedNodes);
  }

  /** Registers this process when its registration is due. Costs a comparison when it is not. */
  refresh(now: number): void {
    if (now < this.#announceAt || this.#options.nodes !== undefined) return;
    this.#announceAt = now + REFRESH_MS;
    void this.#announce(now);
  }

  /** Never rejects. */
  async #announce(now: number): Promise<void> {
    try {
      this.#counted = await this.#store.announce(node().id, TTL_MS);
      this.#firstCountAt ??= now;
    } catch {
      // The limit's own request meets the same failure and reports it.
    }
  }
}
