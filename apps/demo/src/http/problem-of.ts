import { classify, isTemperError } from '@temper/core';
import { messageOf, retryAfterOf } from '@temper/core/policy';
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
import { retryDetails } from '@temper/retry';
import { WorkLimitError } from '../workers/errors.ts';
import { withoutInnerPlacesInText } from './inner-places.ts';
import { MAX_DETAIL, Problem } from './problem.ts';

/** Converts an error of the guarded operations to a problem; undefined for an unexpected error. */
export function problemOf(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error;
  return ofCaller(error) ?? ofGuard(error) ?? ofSubsystem(error);
}

function ofCaller(error: unknown): Problem | undefined {
  // These messages are about the caller's own input, whose lines are kept.
  const detail = error instanceof Error ? error.message : '';
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
  if (
    error instanceof StepBudgetError ||
    error instanceof OutputLimitError ||
    error instanceof WorkLimitError
  ) {
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
  const detail = withoutInnerPlacesInText(messageOf(error, MAX_DETAIL));
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

/** Problems caused by the failure of a subsystem. */
function ofSubsystem(error: unknown): Problem | undefined {
  const { category } = classify(error);
  const retries = retryDetails(error);
  const message = withoutInnerPlacesInText(messageOf(error, MAX_DETAIL));
  const detail =
    retries === undefined
      ? message
      : `The last of ${retries.attempts} attempts failed, after ${Math.round(retries.elapsedMs)} ms of retries: ${message}`;
  if (category === 'timeout') return new Problem('timed-out', detail, retryAfter(error, {}));
  // Retries are made of errors of the subsystem only; a status is an answer of the registry.
  const status = (error as { status?: unknown } | null)?.status;
  if (category === 'network' || retries !== undefined || typeof status === 'number') {
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
