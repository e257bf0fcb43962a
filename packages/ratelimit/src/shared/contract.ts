import type { Policy } from '@temper/core';
import type { AcquireOptions, Decision, Lease, Limiter, LimitState } from '../limiter.ts';
import type { Refusing } from '../refusals.ts';

/**
 * A limiter whose limit several processes share through a store. Keyed by itself: each `key` has the
 * whole limit, and so have all calls without one together. Errors as of {@link Limiter}, as rejections,
 * and besides:
 *
 * @throws {StoreUnavailableError} when the store is away and `onStoreFailure` is `closed`
 */
export interface SharedLimiter extends Policy, Refusing {
  tryAcquire(options?: AcquireOptions): Promise<Lease | undefined>;
  acquire(options?: AcquireOptions): Promise<Lease>;
  take(options?: AcquireOptions): Promise<Decision>;
  peek(options?: Pick<AcquireOptions, 'key'>): Promise<LimitState>;
}
