import { type Classification, classify, TemperError } from '@temper/core';
import { messageOf, safeText, show, statusOf } from '@temper/core/policy';

/** The operation returned a value that counts as failed. */
export class FailedResultError extends TemperError {
  /** The value. */
  readonly value: unknown;

  constructor(operation: string, value: unknown) {
    const status = statusOf(value);
    const what = status === undefined ? 'a result' : `status ${status}, a result`;
    super(`Operation '${operation}' returned ${what} that counts as failed.`, {
      code: 'FAILED_RESULT',
      policy: operation,
      cause: value instanceof Error ? value : undefined,
    });
    this.value = value;
  }

  override get name(): string {
    return 'FailedResultError';
  }

  /** As the value, but always transient: a result that counts as failed may be better next time. */
  override get classification(): Classification {
    const status = statusOf(this.value);
    // The user has said that the value is one to look at, which classification alone does not take it for.
    const error = status === undefined ? this.value : Object.assign(new Error(), { status });
    return { ...classify(error), transient: true };
  }
}

/** The operation failed, and there is a partial result. Thrown by `run`. */
export class DegradedResultError extends TemperError {
  /** The partial result. */
  readonly degraded: unknown;

  constructor(operation: string, degraded: unknown, cause: unknown) {
    super(`Operation '${operation}' failed, with a partial result: ${messageOf(cause)}`, {
      code: 'DEGRADED_RESULT',
      policy: operation,
      cause,
    });
    this.degraded = degraded;
  }

  override get name(): string {
    return 'DegradedResultError';
  }

  override get classification(): Classification {
    return classify(this.cause);
  }
}

/** One mistake in a document of plans. */
export interface PlanProblem {
  /** Where, such as `plans.fetch_package.timeoutMs`. */
  readonly path: string;
  /** The value there, in words. */
  readonly value: string;
  /** What it should be. */
  readonly expected: string;
}

/** At most this many problems, and names, are quoted in a message. */
const MAX_QUOTED = 20;
/** Longest path in a message, in UTF-16 code units. */
const MAX_PATH = 200;

/** A document of plans is invalid. */
export class PlanDocumentError extends TemperError {
  /** Every problem; the message quotes the first 20. */
  readonly problems: readonly PlanProblem[];

  constructor(problems: readonly PlanProblem[], cause?: unknown) {
    const lines = problems
      .slice(0, MAX_QUOTED)
      .map(
        ({ path, value, expected }) =>
          `${safeText(path, MAX_PATH)}: expected ${expected}, got ${value}.`,
      );
    const more = problems.length - lines.length;
    if (more > 0) lines.push(`And ${more} more.`);
    super(`The recovery plans are invalid: ${lines.join(' ')}`, {
      code: 'PLAN_DOCUMENT',
      policy: 'recovery',
      cause,
      stack: true,
    });
    this.problems = problems;
  }

  override get name(): string {
    return 'PlanDocumentError';
  }

  override get classification(): Classification {
    return { category: 'validation', severity: 'high', transient: false };
  }
}

/** There are plans for operations that are not registered: a misspelt one would never be used. */
export class UnregisteredOperationError extends TemperError {
  /** The operations that have a plan and are not registered. */
  readonly operations: readonly string[];
  /** The operations that are registered. */
  readonly registered: readonly string[];

  constructor(policy: string, operations: readonly string[], registered: readonly string[]) {
    super(
      `'${policy}' has plans for operations that are not registered: ${quoted(operations)}. Registered are ${quoted(registered)}.`,
      { code: 'OPERATION_UNREGISTERED', policy, stack: true },
    );
    this.operations = operations;
    this.registered = registered;
  }

  override get name(): string {
    return 'UnregisteredOperationError';
  }

  override get classification(): Classification {
    return { category: 'validation', severity: 'high', transient: false };
  }
}

function quoted(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const more = names.length > MAX_QUOTED ? `, and ${names.length - MAX_QUOTED} more` : '';
  return `${names.slice(0, MAX_QUOTED).map(show).join(', ')}${more}`;
}
