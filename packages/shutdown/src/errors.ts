import { type Classification, TemperError } from '@temper/core';
import { describeReason, type ShutdownReason } from './reason.ts';

/** The abort reason of {@link GracefulShutdown.signal}. */
export class ShuttingDownError extends TemperError {
  readonly reason: ShutdownReason;

  constructor(policy: string, reason: ShutdownReason) {
    super(`Shutdown '${policy}' has begun: ${describeReason(reason)}.`, {
      code: 'SHUTTING_DOWN',
      policy,
    });
    this.reason = reason;
  }

  override get name(): string {
    return 'ShuttingDownError';
  }

  /** Transient: another instance can take the work. */
  override get classification(): Classification {
    return { category: 'resource', severity: 'low', transient: true };
  }
}

/** The abort reason of a handler's signal when the shutdown is forced. */
export class ShutdownForcedError extends TemperError {
  constructor(policy: string) {
    super(`Shutdown '${policy}' was forced before the handler had settled.`, {
      code: 'SHUTDOWN_FORCED',
      policy,
    });
  }

  override get name(): string {
    return 'ShutdownForcedError';
  }

  override get classification(): Classification {
    return { category: 'unknown', severity: 'high', transient: false };
  }
}
