import { type Classification, classify, messageOf, TemperError } from '@temper/core';

/** The operation returned a value that says it failed. */
export class FailedResultError extends TemperError {
  /** The value. */
  readonly value: unknown;

  constructor(operation: string, value: unknown) {
    super(`'${operation}' returned a result that means failure.`, {
      code: 'FAILED_RESULT',
      policy: operation,
      cause: value instanceof Error ? value : undefined,
    });
    this.value = value;
  }

  override get name(): string {
    return 'FailedResultError';
  }

  /** What the value tells of itself; transient, as a result that fails is there to be asked for again. */
  override get classification(): Classification {
    return { ...classify(this.value), transient: true };
  }
}

/** The operation failed, and what came back is only part of a result. Thrown by `run`. */
export class DegradedResultError extends TemperError {
  /** The part that could be had. */
  readonly degraded: unknown;

  constructor(operation: string, degraded: unknown, cause: unknown) {
    super(`'${operation}' failed, and has a partial result: ${messageOf(cause)}`, {
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

/** One thing that is wrong with a document of plans. */
export interface PlanProblem {
  /** Where, such as `plans.fetch_package.timeoutMs`. */
  readonly path: string;
  /** What is there, in words. */
  readonly value: string;
  /** What should be. */
  readonly expected: string;
}

/** A document of plans does not hold. Every problem is told, not only the first. */
export class PlanDocumentError extends TemperError {
  readonly problems: readonly PlanProblem[];

  constructor(problems: readonly PlanProblem[], cause?: unknown) {
    const lines = problems.map(
      ({ path, value, expected }) => `${path}: expected ${expected}, got ${value}.`,
    );
    super(`The recovery plans do not hold: ${lines.join(' ')}`, {
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

/** There are plans for operations that nobody registered: a misspelt one would never be used. */
export class UnregisteredOperationError extends TemperError {
  /** The operations that have a plan and nothing else. */
  readonly operations: readonly string[];
  /** The operations that are registered. */
  readonly registered: readonly string[];

  constructor(policy: string, operations: readonly string[], registered: readonly string[]) {
    const names = (list: readonly string[]): string =>
      list.map((name) => `'${name}'`).join(', ') || 'none';
    super(
      `'${policy}' has plans for operations that nobody registered: ${names(operations)}. Registered are ${names(registered)}.`,
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
