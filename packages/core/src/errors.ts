import type { Classification } from './classify.ts';
import { safeText } from './text.ts';

/** What every Temper error carries. */
export interface TemperErrorOptions {
  /** Stable, upper-case: what programs compare. */
  readonly code: string;
  /** Name of the policy that threw it. */
  readonly policy: string;
  readonly cause?: unknown;
  /**
   * Whether to record a stack trace. A rejection is an answer and not a bug; its stack names only the
   * policy, costs microseconds, and is therefore left out by default.
   *
   * @defaultValue false
   */
  readonly stack?: boolean;
}

/** Base of all errors that Temper throws. */
export class TemperError extends Error {
  readonly code: string;
  readonly policy: string;

  constructor(message: string, options: TemperErrorOptions) {
    const limit = options.stack === true ? undefined : withoutStackTrace();
    if (options.cause === undefined) super(message);
    else super(message, { cause: options.cause });
    if (limit !== undefined) Error.stackTraceLimit = limit;
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

  /**
   * Whether a policy refused the call before the operation was called (open circuit, limit, spent
   * budget, full queue): such an error tells nothing about the dependency.
   */
  get refused(): boolean {
    return false;
  }
}

/** @returns the limit to restore; `undefined` where V8's setting cannot be changed */
function withoutStackTrace(): number | undefined {
  const limit: unknown = Error.stackTraceLimit;
  if (typeof limit !== 'number') return undefined; // V8 records no stack then
  try {
    Error.stackTraceLimit = 0;
    return limit;
  } catch {
    return undefined; // frozen intrinsics: the stack is recorded
  }
}

/**
 * Whether `error` is a {@link TemperError} (with this code, when one is given). Goes by shape, so that
 * two installed copies of core agree.
 */
export function isTemperError(error: unknown, code?: string): error is TemperError {
  try {
    return (
      error instanceof Error &&
      typeof (error as Partial<TemperError>).code === 'string' &&
      typeof (error as Partial<TemperError>).policy === 'string' &&
      (code === undefined || (error as TemperError).code === code)
    );
  } catch {
    return false; // a hostile getter or a revoked proxy
  }
}

/** How many errors deep a `cause` chain is followed. */
const MAX_DEPTH = 8;

/**
 * Whether `error` is a refusal by a Temper policy, or was caused by one: the operation was not called.
 * Goes by shape. Never throws.
 */
export function isRefusal(error: unknown): boolean {
  try {
    let current = error;
    for (let depth = 0; depth < MAX_DEPTH && current instanceof Error; depth++) {
      if (isTemperError(current) && current.refused === true) return true;
      current = current.cause;
    }
  } catch {
    // A hostile getter or a revoked proxy.
  }
  return false;
}

/** An attempt or operation took longer than its timeout, and was aborted. */
export class OperationTimeoutError extends TemperError {
  /** The timeout, in milliseconds. */
  readonly timeoutMs: number;

  /** @param subject - begins the message, where it was no operation of a call: `Check 'db'` */
  constructor(policy: string, timeoutMs: number, subject?: string) {
    super(
      subject === undefined
        ? `Policy '${policy}' aborted the operation after its timeout of ${timeoutMs} ms.`
        : `${subject} timed out after ${Math.ceil(timeoutMs)} ms.`,
      { code: 'OPERATION_TIMEOUT', policy },
    );
    this.timeoutMs = timeoutMs;
  }

  override get name(): string {
    return 'OperationTimeoutError';
  }

  override get classification(): Classification {
    return { category: 'timeout', severity: 'medium', transient: true };
  }
}

/** The caller's `timeoutMs` has passed. Not transient: no time is left for another attempt. */
export class DeadlineExceededError extends TemperError {
  /** What the caller gave for the whole call, in milliseconds, where known. */
  readonly timeoutMs: number | undefined;

  constructor(operation: string | undefined, timeoutMs?: number) {
    const what = operation === undefined ? 'The call' : `The call '${safeText(operation, 80)}'`;
    const limit = timeoutMs === undefined ? 'its deadline' : `its timeout of ${timeoutMs} ms`;
    super(`${what} did not finish within ${limit}.`, {
      code: 'DEADLINE_EXCEEDED',
      policy: operation ?? 'deadline',
    });
    this.timeoutMs = timeoutMs;
  }

  override get name(): string {
    return 'DeadlineExceededError';
  }

  override get classification(): Classification {
    return { category: 'timeout', severity: 'high', transient: false };
  }
}
