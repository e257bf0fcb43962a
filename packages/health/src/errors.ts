import { type Classification, TemperError } from '@temper/core';

/** Thrown by {@link HealthMonitor.register} if the monitor has a check of the same name. */
export class DuplicateCheckError extends TemperError {
  readonly check: string;

  constructor(monitor: string, check: string) {
    super(
      `Health monitor '${monitor}' already has a check named '${check}'. Unregister it first, or use another name.`,
      { code: 'DUPLICATE_CHECK', policy: monitor, stack: true },
    );
    this.check = check;
  }

  override get name(): string {
    return 'DuplicateCheckError';
  }

  override get classification(): Classification {
    return { category: 'validation', severity: 'medium', transient: false };
  }
}

/** The error of a probe that was not started because an earlier one timed out and has not settled. */
export class CheckHangingError extends TemperError {
  readonly check: string;
  /** Time since the probe began, in milliseconds. */
  readonly runningMs: number;

  constructor(monitor: string, check: string, runningMs: number) {
    super(
      `Check '${check}' has not settled for ${Math.round(runningMs)} ms. It is probed again after it settles.`,
      { code: 'CHECK_HANGING', policy: monitor },
    );
    this.check = check;
    this.runningMs = runningMs;
  }

  override get name(): string {
    return 'CheckHangingError';
  }

  override get classification(): Classification {
    return { category: 'timeout', severity: 'high', transient: true };
  }
}
