import { type Classification, TemperError } from '@temper/core';

/** A check of this name is registered already. */
export class DuplicateCheckError extends TemperError {
  readonly check: string;

  constructor(monitor: string, check: string) {
    super(
      `'${monitor}' has a check named '${check}' already; unregister that one first, or choose another name.`,
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

/** A probe ran out of time before, has not settled since, and was therefore not started again. */
export class CheckHangingError extends TemperError {
  readonly check: string;
  /** Time since the probe began, in milliseconds. */
  readonly runningMs: number;

  constructor(monitor: string, check: string, runningMs: number) {
    super(
      `Check '${check}' has been running for ${Math.round(runningMs)} ms; it is started again when it ends.`,
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
