import { type Classification, TemperError } from '@temper/core';
import { describeReason, type ShutdownReason } from './reason.ts';

/** What {@link GracefulShutdown.signal} aborts with: the service is going away. */
export class ShuttingDownError extends TemperError {
  readonly reason: ShutdownReason;

  constructor(policy: string, reason: ShutdownReason) {
    super(`'${policy}' is shutting down, because of ${describeReason(reason)}.`, {
      code: 'SHUTTING_DOWN',
      policy,
    });
    this.reason = reason;
  }

  override get name(): string {
    return 'ShuttingDownError';
  }

  /** Another instance can do the work. */
  override get classification(): Classification {
    return { category: 'resource', severity: 'low', transient: true };
  }
}

/** What a handler's signal aborts with when the shutdown is forced to its end. */
export class ShutdownForcedError extends TemperError {
  constructor(policy: string) {
    super(`'${policy}' was told to stop waiting.`, { code: 'SHUTDOWN_FORCED', policy });
  }

  override get name(): string {
    return 'ShutdownForcedError';
  }

  override get classification(): Classification {
    return { category: 'unknown', severity: 'high', transient: false };
  }
}
