import type { RateChange } from '../changes/rate-change.ts';
import {
  blockTime,
  type KeyOptions,
  type RateControls,
  unitsOf,
} from '../changes/rate-controls.ts';
import type { Levels } from '../observer.ts';
import { SharedParts } from './backend.ts';
import type { SharedLimiter } from './contract.ts';
import { resolveSharedRateLimit, type SharedRateLimitOptions } from './options.ts';
import { RateBackend } from './rate-backend.ts';
import { SharedPolicy } from './shared-limiter.ts';
import type { SharedStats } from './telemetry.ts';

/**
 * A rate limit that several processes share. Its changes reach every process with their next request.
 * They reject with `StoreUnavailableError` when the store cannot be reached, whatever `onStoreFailure`
 * says, and with `TypeError` or `RangeError` when an argument is not allowed.
 */
export interface SharedRateLimiter extends SharedLimiter, RateControls<Promise<void>> {
  stats(): SharedStats;
}

class SharedRatePolicy extends SharedPolicy<Levels> implements SharedRateLimiter {
  readonly #rates: RateBackend;

  constructor(backend: RateBackend, parts: SharedParts) {
    super(backend, parts);
    this.#rates = backend;
  }

  async reset(options?: KeyOptions): Promise<void> {
    await this.#change(options, { kind: 'reset' });
  }

  async block(durationMs: number, options?: KeyOptions): Promise<void> {
    await this.#change(options, {
      kind: 'block',
      durationMs: blockTime(this.name, durationMs),
    });
  }

  async penalty(units: number, options?: KeyOptions): Promise<void> {
    await this.#change(options, { kind: 'charge', units: unitsOf(this.name, units) });
  }

  async reward(units: number, options?: KeyOptions): Promise<void> {
    await this.#change(options, { kind: 'charge', units: -unitsOf(this.name, units) });
  }

  async #change(options: KeyOptions | undefined, change: RateChange): Promise<void> {
    const key = this.keyOf(options);
    await this.asking(() => this.#rates.change(key, change));
  }
}

/**
 * Creates a rate limit that several processes share through a store.
 *
 * ```ts
 * const api = sharedRateLimit({
 *   name: 'api',
 *   store: redisStore({ client }),
 *   limit: 1000,
 *   windowMs: 1000,
 * });
 * await api.execute(() => call(), { key: tenant, timeoutMs: 500 });
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown, out of range or of another algorithm
 */
export function sharedRateLimit(options: SharedRateLimitOptions): SharedRateLimiter {
  const all = resolveSharedRateLimit(options);
  const parts = new SharedParts(all);
  return new SharedRatePolicy(new RateBackend(all, parts), parts);
}
