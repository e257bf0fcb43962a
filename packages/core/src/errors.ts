import type { Classification } from './classify.ts';

/** What every error of this family carries. */
export interface TemperErrorOptions {
  /** Stable, upper-case: what programs compare. */
  readonly code: string;
  /** Name of the policy that speaks. */
  readonly policy: string;
  readonly cause?: unknown;
  /**
   * Whether to record a stack trace. A rejection is an answer, not a bug: its stack says where the
   * policy is, costs microseconds, and is therefore left out by default.
   *
   * @defaultValue false
   */
  readonly stack?: boolean;
}

/** Base of all errors that Temper throws of its own accord. */
export class TemperError extends Error {
  readonly code: string;
  readonly policy: string;

  constructor(message: string, options: TemperErrorOptions) {
    const limit = Error.stackTraceLimit;
    if (options.stack !== true) Error.stackTraceLimit = 0;
    if (options.cause === undefined) super(message);
    else super(message, { cause: options.cause });
    Error.stackTraceLimit = limit;
    this.code = options.code;
    this.policy = options.policy;
  }

  override get name(): string {
    return 'TemperError';
  }

  /** How {@link classify} sees this error; `undefined` leaves it to the cause. */
  get classification(): Classification | undefined {
    return undefined;
  }
}

/**
 * Whether `error` is a {@link TemperError} (with this code, when one is given). Goes by shape, so that
 * two installed copies of core agree.
 */
export function isTemperError(error: unknown, code?: string): error is TemperError {
  return (
    error instanceof Error &&
    typeof (error as Partial<TemperError>).code === 'string' &&
    typeof (error as Partial<TemperError>).policy === 'string' &&
    (code === undefined || (error as TemperError).code === code)
  );
}

/** One attempt or operation took longer than it was given, and was aborted. */
export class OperationTimeoutError extends TemperError {
  /** What it was given, in milliseconds. */
  readonly timeoutMs: number;

  constructor(policy: string, timeoutMs: number) {
    super(`'${policy}' gave up on the operation after ${timeoutMs} ms.`, {
      code: 'OPERATION_TIMEOUT',
      policy,
    });
    this.timeoutMs = timeoutMs;
  }

  override get name(): string {
    return 'OperationTimeoutError';
  }

  override get classification(): Classification {
    return { category: 'timeout', severity: 'medium', transient: true };
  }
}

/** The caller's deadline passed. Not transient: there is no time left to try again. */
export class DeadlineExceededError extends TemperError {
  /** What the caller gave, in milliseconds, where known. */
  readonly deadlineMs: number | undefined;

  constructor(operation: string | undefined, deadlineMs?: number) {
    const what = operation === undefined ? 'The call' : `'${operation}'`;
    const limit = deadlineMs === undefined ? 'its deadline' : `its deadline of ${deadlineMs} ms`;
    super(`${what} did not finish within ${limit}.`, {
      code: 'DEADLINE_EXCEEDED',
      policy: operation ?? 'deadline',
    });
    this.deadlineMs = deadlineMs;
  }

  override get name(): string {
    return 'DeadlineExceededError';
  }

  override get classification(): Classification {
    return { category: 'timeout', severity: 'high', transient: false };
  }
}
