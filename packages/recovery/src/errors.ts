import { type Classification, classify, messageOf, TemperError } from '@temper/core';

/** Every try of a hedged call failed. */
export class HedgeFailedError extends TemperError {
  /** What each try failed with, in the order in which they failed. The first is also the `cause`. */
  readonly errors: readonly unknown[];

  constructor(policy: string, errors: readonly unknown[]) {
    super(
      `'${policy}': all ${errors.length} tries failed, the first with: ${messageOf(errors[0])}`,
      {
        code: 'HEDGE_FAILED',
        policy,
        cause: errors[0],
      },
    );
    this.errors = errors;
  }

  override get name(): string {
    return 'HedgeFailedError';
  }

  override get classification(): Classification {
    return classify(this.cause);
  }
}

/** The reason that the signal of a try carries when another try has answered. */
export class HedgeLostError extends TemperError {
  constructor(policy: string) {
    super(`'${policy}': another try has answered; this one is no longer needed.`, {
      code: 'HEDGE_LOST',
      policy,
    });
  }

  override get name(): string {
    return 'HedgeLostError';
  }

  override get classification(): Classification {
    return { category: 'unknown', severity: 'low', transient: false };
  }
}

/** The operation failed, and so did what was to answer in its place. Both errors are kept. */
export class FallbackFailedError extends TemperError {
  /** What the operation failed with; also the `cause`. */
  readonly operationError: unknown;
  /** What the fallback failed with. */
  readonly fallbackError: unknown;
  /** Both, in order. */
  readonly errors: readonly [unknown, unknown];

  constructor(policy: string, operationError: unknown, fallbackError: unknown) {
    super(
      `'${policy}': the operation failed (${messageOf(operationError)}), and so did its fallback: ${messageOf(fallbackError)}`,
      { code: 'FALLBACK_FAILED', policy, cause: operationError },
    );
    this.operationError = operationError;
    this.fallbackError = fallbackError;
    this.errors = [operationError, fallbackError];
  }

  override get name(): string {
    return 'FallbackFailedError';
  }

  override get classification(): Classification {
    return classify(this.operationError);
  }
}

/** A fault that chaos injected. Nothing is really wrong. */
export class ChaosFaultError extends TemperError {
  constructor(policy: string) {
    super(`'${policy}' injected this fault on purpose.`, { code: 'CHAOS_FAULT', policy });
  }

  override get name(): string {
    return 'ChaosFaultError';
  }

  /** Transient, as the faults that it stands for. */
  override get classification(): Classification {
    return { category: 'network', severity: 'low', transient: true };
  }
}

/** The policies of a pipeline are in an order in which some of them can never do their work. */
export class PipelineOrderError extends TemperError {
  /** Each of the mistakes, in words. */
  readonly problems: readonly string[];

  constructor(policy: string, problems: readonly string[]) {
    super(`Pipeline '${policy}' can not work as ordered: ${problems.join(' ')}`, {
      code: 'PIPELINE_ORDER',
      policy,
      stack: true,
    });
    this.problems = problems;
  }

  override get name(): string {
    return 'PipelineOrderError';
  }

  override get classification(): Classification {
    return { category: 'validation', severity: 'high', transient: false };
  }
}

/** A named pipeline was to be replaced, and the new options do not hold. The old one serves on. */
export class PipelineReloadError extends TemperError {
  /** The revision that serves on. */
  readonly revision: number;

  constructor(policy: string, revision: number, cause: unknown) {
    super(`Pipeline '${policy}' stays at revision ${revision}: ${messageOf(cause)}`, {
      code: 'PIPELINE_RELOAD',
      policy,
      cause,
      stack: true,
    });
    this.revision = revision;
  }

  override get name(): string {
    return 'PipelineReloadError';
  }

  override get classification(): Classification {
    return { category: 'validation', severity: 'high', transient: false };
  }
}
