import { type Classification, classify, isRefusal, TemperError } from '@temper/core';
import { messageOf } from '@temper/core/policy';

/** All attempts of a hedged call failed. */
export class HedgeFailedError extends TemperError {
  /** What each attempt failed with, in the order in which they failed. */
  readonly errors: readonly unknown[];

  constructor(policy: string, errors: readonly unknown[]) {
    // A refusal by one of our own policies tells less than what the dependency answered.
    const cause = errors.find((error) => !isRefusal(error)) ?? errors[0];
    super(`Hedge policy '${policy}' failed after ${errors.length} attempts: ${messageOf(cause)}`, {
      code: 'HEDGE_FAILED',
      policy,
      cause,
    });
    this.errors = errors;
  }

  override get name(): string {
    return 'HedgeFailedError';
  }

  override get classification(): Classification {
    return classify(this.cause);
  }
}

/** The abort reason of an attempt whose result is no longer needed. */
export class HedgeLostError extends TemperError {
  constructor(policy: string) {
    super(
      `Hedge policy '${policy}' no longer needs this attempt: another one has ended the call.`,
      { code: 'HEDGE_LOST', policy },
    );
  }

  override get name(): string {
    return 'HedgeLostError';
  }

  override get classification(): Classification {
    return { category: 'unknown', severity: 'low', transient: false };
  }
}

/** The operation failed, and so did the fallback. */
export class FallbackFailedError extends TemperError {
  /** What the operation failed with: an error, or a value that counts as a failure. Also the `cause`. */
  readonly operationError: unknown;
  /** What the fallback failed with. */
  readonly fallbackError: unknown;
  /** Both, in order. */
  readonly errors: readonly [unknown, unknown];

  constructor(policy: string, operationError: unknown, fallbackError: unknown) {
    super(
      `Fallback policy '${policy}' failed (${messageOf(fallbackError)}) after the operation had failed: ${messageOf(operationError)}`,
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

/**
 * A call of a cache with `singleFlight` came from inside the run that it would have shared, or from one that this
 * run waits for, or it holds permits of a limiter that this run waits for: they would have waited for each other for
 * ever. The operation was not called.
 */
export class CallsItselfError extends TemperError {
  constructor(policy: string) {
    super(
      `Cache '${policy}' was called from inside the operation that answers the same key, or by a call whose permits that operation waits for: it would wait for itself. Use another key inside, take permits in one order with runs, or call the operation without the cache.`,
      { code: 'CALLS_ITSELF', policy },
    );
  }

  override get name(): string {
    return 'CallsItselfError';
  }

  override get classification(): Classification {
    return { category: 'internal', severity: 'high', transient: false };
  }

  override get refused(): boolean {
    return true;
  }
}

/** An injected fault. Nothing is wrong. */
export class ChaosFaultError extends TemperError {
  constructor(policy: string) {
    super(`Chaos policy '${policy}' injected this fault.`, { code: 'CHAOS_FAULT', policy });
  }

  override get name(): string {
    return 'ChaosFaultError';
  }

  /** Transient, like the faults that it stands for. */
  override get classification(): Classification {
    return { category: 'network', severity: 'low', transient: true };
  }
}

/** Some policy of a pipeline can never do its work where it stands. */
export class PipelineOrderError extends TemperError {
  /** One sentence for each mistake. */
  readonly problems: readonly string[];

  constructor(policy: string, problems: readonly string[]) {
    super(`Pipeline '${policy}' cannot work in this order: ${problems.join(' ')}`, {
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

/** A named pipeline was not replaced because its new definition is invalid. */
export class PipelineReloadError extends TemperError {
  /** The revision that stays in force. */
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
