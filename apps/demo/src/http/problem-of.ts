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

/** Converts an error of the guarded operations to a problem; undefined for an unexpected error. */
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
    return new Problem('program-limit-exceeded', detail);
  }
  if (error instanceof PackageNotFoundError) return new Problem('package-not-found', detail);
  if (error instanceof VersionConflictError || error instanceof DependencyCycleError) {
    return new Problem('unresolvable-packages', detail);
  }
  if (error instanceof LspRequestError && error.isInvalid) {
    return new Problem('invalid-lsp-request', detail);
  }
  return undefined;
}

function ofGuard(error: unknown): Problem | undefined {
  const detail = messageOf(error);
  if (isTemperError(error, 'CIRCUIT_OPEN')) {
    return new Problem('circuit-open', detail, retryAfter(error, { breaker: error.policy }));
  }
  if (isTemperError(error, 'RATE_LIMIT_EXCEEDED')) {
    return new Problem('rate-limited', detail, retryAfter(error, { limiter: error.policy }));
  }
  if (isTemperError(error, 'AUDIT_UNAVAILABLE')) return new Problem('audit-unavailable', detail);
  if (isTemperError(error, 'AUDIT_CLOSED')) return new Problem('shutting-down', detail);
  return undefined;
}

/** Problems caused by the failure of a subsystem, also when a policy wrapped the error. */
function ofSubsystem(error: unknown): Problem | undefined {
  if (isTemperError(error, 'RETRY_EXHAUSTED')) {
    const caller = ofCaller(error.cause);
    if (caller !== undefined) return caller;
  }
  const { category } = classify(error);
  const detail = messageOf(error);
  if (category === 'timeout') return new Problem('timed-out', detail, retryAfter(error, {}));
  if (category === 'network') return new Problem('bad-gateway', detail, retryAfter(error, {}));
  // The registry returned an error status.
  const status = (error as { status?: unknown } | null)?.status;
  if (isTemperError(error, 'RETRY_EXHAUSTED') || typeof status === 'number') {
    return new Problem('bad-gateway', detail, retryAfter(error, {}));
  }
  return undefined;
}

function retryAfter(
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
