import { classify, isTemperError, messageOf, retryAfterOf } from '@temper/core';
import {
  DependencyCycleError,
  LanguageDefinitionError,
  LspRequestError,
  OutputLimitError,
  PackageNotFoundError,
  ParseError,
  ProtocolValidationError,
  StepBudgetError,
  TypeCheckError,
  UnsupportedConstructError,
  VersionConflictError,
} from '@temper/parsercraft';
import { Problem } from './problem.ts';

/** What went wrong under the guards, as an answer; undefined for what should not have happened. */
export function problemOf(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  return ofCaller(error) ?? ofGuard(error) ?? ofSubsystem(error);
}

function ofCaller(error: unknown): Problem | undefined {
  const detail = messageOf(error);
  if (error instanceof ParseError || error instanceof TypeCheckError) {
    return new Problem('invalid-program', detail, {
      extensions: { diagnostics: error.diagnostics },
    });
  }
  if (error instanceof UnsupportedConstructError) {
    const { construct, line, column, module } = error;
    return new Problem('unsupported-construct', detail, {
      extensions: { construct, line, column, module },
    });
  }
  if (error instanceof LanguageDefinitionError) {
    return new Problem('invalid-definition', detail, { extensions: { issues: error.issues } });
  }
  if (error instanceof ProtocolValidationError) {
    return new Problem('invalid-protocols', detail, { extensions: { issues: error.issues } });
  }
  if (error instanceof StepBudgetError || error instanceof OutputLimitError) {
    return new Problem('endless-program', detail);
  }
  if (error instanceof PackageNotFoundError) return new Problem('package-not-found', detail);
  if (error instanceof VersionConflictError || error instanceof DependencyCycleError) {
    return new Problem('unresolvable-packages', detail);
  }
  if (error instanceof LspRequestError && error.isInvalid) {
    return new Problem('unacceptable-question', detail);
  }
  return undefined;
}

function ofGuard(error: unknown): Problem | undefined {
  const detail = messageOf(error);
  if (isTemperError(error, 'CIRCUIT_OPEN')) {
    return new Problem('circuit-open', detail, comeBack(error, { breaker: error.policy }));
  }
  if (isTemperError(error, 'RATE_LIMIT_EXCEEDED')) {
    return new Problem('rate-limited', detail, comeBack(error, { limiter: error.policy }));
  }
  if (isTemperError(error, 'AUDIT_UNAVAILABLE')) return new Problem('audit-unavailable', detail);
  if (isTemperError(error, 'AUDIT_CLOSED')) return new Problem('shutting-down', detail);
  return undefined;
}

/** What a subsystem failed with, through whatever guards it came. */
function ofSubsystem(error: unknown): Problem | undefined {
  if (isTemperError(error, 'RETRY_EXHAUSTED')) {
    const caller = ofCaller(error.cause);
    if (caller !== undefined) return caller;
  }
  const { category } = classify(error);
  const detail = messageOf(error);
  if (category === 'timeout') return new Problem('timed-out', detail, comeBack(error, {}));
  if (category === 'network') return new Problem('bad-gateway', detail, comeBack(error, {}));
  // An error status of the registry.
  const status = (error as { status?: unknown } | null)?.status;
  if (isTemperError(error, 'RETRY_EXHAUSTED') || typeof status === 'number') {
    return new Problem('bad-gateway', detail, comeBack(error, {}));
  }
  return undefined;
}

function comeBack(
  error: unknown,
  extensions: Readonly<Record<string, unknown>>,
): {
  readonly extensions: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
} {
  const afterMs = retryAfterOf(error, Date.now());
  if (afterMs === undefined || !Number.isFinite(afterMs)) return { extensions, headers: {} };
  const seconds = Math.max(1, Math.ceil(afterMs / 1_000));
  return {
    extensions: { ...extensions, retryAfterMs: Math.ceil(afterMs) },
    headers: { 'retry-after': String(seconds) },
  };
}
