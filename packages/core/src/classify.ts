export type { Classification, ErrorCategory, ErrorSeverity } from './verdicts.ts';

import { isError } from './causes.ts';
import { clientError } from './client-errors.ts';
import { BY_NAME, byCode, byStatus } from './error-codes.ts';
import { messageVerdict } from './error-messages.ts';
import {
  CANCELLED,
  type Classification,
  type ErrorCategory,
  type ErrorSeverity,
  UNKNOWN,
} from './verdicts.ts';

/** Every category, in the report's order. */
export const ERROR_CATEGORIES: readonly ErrorCategory[] = [
  'validation',
  'network',
  'timeout',
  'resource',
  'internal',
  'unknown',
];

/** Every severity, from least to worst. */
export const ERROR_SEVERITIES: readonly ErrorSeverity[] = ['low', 'medium', 'high', 'critical'];

/**
 * A user's own rule: the verdict, part of one (the rest comes from the built-in rules), or
 * `undefined` to pass. A rule that throws, or says what is no verdict, passes.
 */
export type ClassificationRule = (error: unknown) => Partial<Classification> | undefined;

/** What clients put on the error of a call that was cancelled, besides the name `AbortError`. */
const ABORTS: ReadonlySet<unknown> = new Set(['ERR_CANCELED', 'ABORTED']);

/** How many errors deep a `cause` chain is followed. */
const MAX_DEPTH = 8;

/** How many errors are looked at, in all the `errors` and causes together. */
const MAX_ERRORS = 32;

/**
 * Says what kind of trouble an error is, how bad, and whether trying again may help.
 *
 * In this order: the user's rules; the error's own `classification`; its `code`; what its client library
 * says in fields of its own; its HTTP status; its `cause`, or its `errors`, as long as one of them says
 * anything, a transient one first; its message, where it is one that a client gives without a code; its
 * name. An abort whose cause says nothing is somebody's change of mind: low, and not transient.
 *
 * Only errors and responses are read: a parsed body is unknown, thrown or as a cause, whatever it has.
 * Never throws.
 */
export function classify(
  error: unknown,
  rules: readonly ClassificationRule[] = [],
): Classification {
  const own = builtIn(error, 0, { left: MAX_ERRORS }) ?? UNKNOWN;
  for (const rule of rules) {
    try {
      const verdict: unknown = rule(error);
      if (typeof verdict !== 'object' || verdict === null) continue;
      if (typeof (verdict as { then?: unknown }).then === 'function') {
        ignoreRejection(verdict);
        continue;
      }
      const whole = { ...own, ...verdict };
      if (isClassification(whole)) return whole;
    } catch {
      // A broken rule must not hide the error it was asked about.
    }
  }
  return own;
}

/** A rule must answer at once; the promise of one that does not is ignored, its rejection included. */
function ignoreRejection(promise: unknown): void {
  new Promise((resolve) => resolve(promise)).then(undefined, () => {});
}

function builtIn(
  error: unknown,
  depth: number,
  budget: { left: number },
): Classification | undefined {
  if (depth >= MAX_DEPTH || budget.left-- <= 0) return undefined;
  try {
    const status = statusOf(error);
    if (!isError(error)) {
      return status === undefined || !isResponse(error) ? undefined : byStatus(status);
    }
    const { classification, code, name, message, cause, errors } = error as Error &
      Record<string, unknown>;
    if (isClassification(classification)) return classification;
    const said =
      (typeof code === 'string' ? byCode(code) : undefined) ??
      clientError(error) ??
      (status === undefined ? undefined : byStatus(status));
    if (said !== undefined) return said;
    let below = builtIn(cause, depth + 1, budget);
    for (const one of Array.isArray(errors) ? errors : []) {
      if (below?.transient === true || budget.left <= 0) break;
      const verdict = builtIn(one, depth + 1, budget);
      if (below === undefined || verdict?.transient === true) below = verdict;
    }
    if (below !== undefined) return below;
    if (name === 'AbortError' || ABORTS.has(code)) return CANCELLED;
    return messageVerdict(message) ?? BY_NAME.get(name);
  } catch {
    return undefined; // a hostile getter
  }
}

function isClassification(value: unknown): value is Classification {
  return (
    typeof value === 'object' &&
    value !== null &&
    ERROR_CATEGORIES.includes((value as Classification).category) &&
    ERROR_SEVERITIES.includes((value as Classification).severity) &&
    typeof (value as Classification).transient === 'boolean'
  );
}

/**
 * The HTTP status that an error or response carries, itself or on its `response`, which has `headers` too
 * where it is one. Never throws.
 */
export function statusOf(outcome: unknown): number | undefined {
  try {
    const own = ownStatus(outcome);
    if (own !== undefined) return own;
    const { response } = (outcome ?? {}) as { response?: { headers?: unknown } | null };
    return typeof response?.headers === 'object' ? ownStatus(response) : undefined;
  } catch {
    return undefined; // a hostile getter
  }
}

/** Whether `value` is a `Response`, of whatever realm or implementation. No parsed JSON is one. */
function isResponse(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object Response]';
}

function ownStatus(outcome: unknown): number | undefined {
  if (typeof outcome !== 'object' || outcome === null) return undefined;
  const { status, statusCode } = outcome as Record<string, unknown>;
  for (const value of [status, statusCode]) {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 100 && value <= 599) {
      return value;
    }
  }
  return undefined;
}

const CODE_PATTERN = /^[A-Z][A-Z0-9_]{1,39}$/;
const NAME_PATTERN = /^[A-Za-z][A-Za-z0-9_.]{0,39}$/;
/** Classes whose name says nothing about a failure. */
const PLAIN: ReadonlySet<string> = new Set(['Object', 'Array']);

/**
 * The value of OpenTelemetry's `error.type` for an error: its `code`, else its HTTP status, else its
 * name, else `_OTHER`. Free text never gets through, so the attribute stays of low cardinality.
 */
export function errorType(error: unknown): string {
  try {
    if (typeof error !== 'object' || error === null) return '_OTHER';
    const { code, name } = error as Record<string, unknown>;
    if (typeof code === 'string' && CODE_PATTERN.test(code)) return code;
    const status = statusOf(error);
    if (status !== undefined) return String(status);
    const inner = (error as { cause?: { code?: unknown } }).cause?.code;
    if (typeof inner === 'string' && CODE_PATTERN.test(inner)) return inner;
    if (typeof name === 'string' && name !== 'Error' && NAME_PATTERN.test(name)) return name;
    const made = (error as { constructor?: { name?: unknown } }).constructor?.name;
    const says = typeof made === 'string' && NAME_PATTERN.test(made) && !PLAIN.has(made);
    return says ? made : '_OTHER';
  } catch {
    return '_OTHER';
  }
}
