import { isError } from './causes.ts';
import type { Classification } from './classify.ts';
import { messageOf, safeText } from './text.ts';

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

/** Recognises an error made by any installed copy of core. */
const ERROR: unique symbol = Symbol.for('temper.error.1');

/**
 * Base of all errors that Temper throws.
 *
 * `instanceof` recognises the errors of every installed copy of a package: a process may load one as an
 * ES module and as CommonJS, or in two versions. Classes of two copies are the same when they have the
 * same `name`, so a class without a `name` of its own only recognises its own instances.
 */
export class TemperError extends Error {
  static override [Symbol.hasInstance](this: unknown, value: unknown): boolean {
    // biome-ignore lint/complexity/noThisInStatic: the class to the right of `instanceof`
    return isInstance(this, value);
  }

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

Object.defineProperty(TemperError.prototype, ERROR, { value: true });

/** Whether `value` is an instance of this class, or of its counterpart in another copy. Never throws. */
function isInstance(type: unknown, value: unknown): boolean {
  try {
    if (Function.prototype[Symbol.hasInstance].call(type, value)) return true;
    if (typeof type !== 'function' || !isMarked(value)) {
      return false;
    }
    const { prototype } = type as { prototype: object };
    if (!Object.hasOwn(prototype, 'name')) return false;
    const { name } = prototype as Error;
    let each: object | null = Object.getPrototypeOf(value) as object | null;
    for (; each !== null && each !== Error.prototype; each = Object.getPrototypeOf(each)) {
      if (Object.hasOwn(each, 'name') && (each as Error).name === name) return true;
    }
    return false;
  } catch {
    return false; // a hostile getter or a revoked proxy
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
 * Whether `error` is a {@link TemperError} (with this code, when one is given), of whichever installed copy of
 * core. Errors of others that have a `code` and a `policy` too are none. Never throws.
 */
export function isTemperError(error: unknown, code?: string): error is TemperError {
  try {
    return isMarked(error) && (code === undefined || error.code === code);
  } catch {
    return false; // a hostile getter or a revoked proxy
  }
}

/** Whether a copy of core made this error. Its fields alone say nothing: those of other errors are called the same. */
function isMarked(error: unknown): error is TemperError {
  return (
    typeof error === 'object' && error !== null && (error as { [ERROR]?: unknown })[ERROR] === true
  );
}

/** How many errors deep causes are followed. */
const MAX_DEPTH = 8;

/**
 * Whether `error` is a refusal by a Temper policy, or was caused by one: the operation was not called. An
 * error without a cause of its own is caused by its `errors` together, as that of `Promise.any` is. Only the
 * policies of Temper can say so, of whichever installed copy: the fields of another error never do. Never throws.
 */
export function isRefusal(error: unknown): boolean {
  try {
    return wasRefused(error, MAX_DEPTH);
  } catch {
    return false; // a hostile getter or a revoked proxy
  }
}

function wasRefused(error: unknown, depth: number): boolean {
  if (depth === 0 || !isError(error)) return false;
  if (isMarked(error) && error.refused === true) return true;
  // Its cause is what an attempt failed with before, not why the call ended.
  if (isTemperError(error, 'DEADLINE_EXCEEDED')) return false;
  const { cause, errors } = error as { cause?: unknown; errors?: unknown };
  if (cause !== undefined) return wasRefused(cause, depth - 1);
  return (
    Array.isArray(errors) &&
    errors.length > 0 &&
    errors.every((each) => wasRefused(each, depth - 1))
  );
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

/**
 * The caller's `timeoutMs` has passed. Not transient: no time is left for another attempt. Its `cause`
 * is what the last attempt failed with, where one had failed by then.
 */
export class DeadlineExceededError extends TemperError {
  /** What the caller gave for the whole call, in milliseconds, where known. */
  readonly timeoutMs: number | undefined;

  constructor(operation: string | undefined, timeoutMs?: number, cause?: unknown) {
    const named = operation === undefined ? undefined : safeText(operation, 80);
    const what = named === undefined ? 'The call' : `The call '${named}'`;
    const limit = timeoutMs === undefined ? 'its deadline' : `its timeout of ${timeoutMs} ms`;
    const because = cause === undefined ? '.' : `: ${messageOf(cause)}`;
    super(`${what} did not finish within ${limit}${because}`, {
      code: 'DEADLINE_EXCEEDED',
      policy: named ?? 'deadline',
      cause,
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
