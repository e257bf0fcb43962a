import { type Classification, TemperError } from '@temper/core';
import { messageOf } from '@temper/core/policy';

/**
 * The shared store did not answer: slow, unreachable, read-only, out of memory. Nothing is known about
 * the limit. The cause is the error of the store's client.
 */
export class StoreUnavailableError extends TemperError {
  constructor(policy: string, cause: unknown) {
    super(`Limiter '${policy}' cannot reach its store: ${messageOf(cause)}`, {
      code: 'STORE_UNAVAILABLE',
      policy,
      cause,
    });
  }

  override get name(): string {
    return 'StoreUnavailableError';
  }

  /** The operation was not called. */
  override get refused(): boolean {
    return true;
  }

  override get classification(): Classification {
    return { category: 'network', severity: 'high', transient: true };
  }
}

/**
 * The permits of a lease were lost in the store, as by a flush or an interruption longer than the lease,
 * and others hold them now. The reason of `lease.signal`: whoever holds the lease should stop.
 */
export class LeaseLostError extends TemperError {
  constructor(policy: string) {
    super(`Limiter '${policy}' lost the permits of a lease in its store; others hold them now.`, {
      code: 'LEASE_LOST',
      policy,
    });
  }

  override get name(): string {
    return 'LeaseLostError';
  }

  override get classification(): Classification {
    return { category: 'resource', severity: 'high', transient: true };
  }
}
