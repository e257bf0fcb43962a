import {
  classify,
  type ErrorCategory,
  type ErrorSeverity,
  isFailure,
  isRefusal,
  isTemperError,
} from '@temper/core';
import { isError } from '@temper/core/policy';

/** The guarded operations. */
export type OperationName =
  | 'ast_codegen'
  | 'type_inference'
  | 'check_protocol'
  | 'fetch_package'
  | 'lsp_operation';

/** Every {@link OperationName}. */
export const OPERATIONS: readonly OperationName[] = [
  'ast_codegen',
  'type_inference',
  'check_protocol',
  'fetch_package',
  'lsp_operation',
];

/** What an error of an operation counts as. */
export interface Verdict {
  readonly category: ErrorCategory;
  readonly severity: ErrorSeverity;
}

/** One row: errors of these kinds count as this. */
interface Row extends Verdict {
  readonly kind: ErrorKind;
}

/** How the tables tell errors apart, before they say what each counts as. */
export type ErrorKind = 'invalid' | 'unsupported' | 'connection' | 'timeout' | 'other';

const row = (kind: ErrorKind, category: ErrorCategory, severity: ErrorSeverity): Row => ({
  kind,
  category,
  severity,
});

/** The report's tables, one per operation. The last row is for everything else. */
export const ERROR_TABLES: Readonly<Record<OperationName, readonly Row[]>> = {
  ast_codegen: [
    row('invalid', 'validation', 'medium'),
    row('unsupported', 'internal', 'high'),
    row('other', 'unknown', 'critical'),
  ],
  type_inference: [row('invalid', 'validation', 'medium'), row('other', 'unknown', 'high')],
  check_protocol: [row('invalid', 'validation', 'low'), row('other', 'unknown', 'medium')],
  fetch_package: [
    row('connection', 'network', 'high'),
    row('timeout', 'timeout', 'medium'),
    row('other', 'unknown', 'high'),
  ],
  lsp_operation: [
    row('invalid', 'validation', 'low'),
    row('timeout', 'timeout', 'medium'),
    row('other', 'unknown', 'medium'),
  ],
};

/** How many errors deep a `cause` chain is asked for a kind. */
const MAX_DEPTH = 8;

/**
 * The first answer about what was thrown, of whatever type, or an error that it was caused by. Another cause
 * may be anything, such as a parsed body. Never throws.
 */
function inChain<T>(
  error: unknown,
  ask: (fields: Readonly<Record<string, unknown>>) => T | undefined,
): T | undefined {
  try {
    let at = error;
    for (let depth = 0; depth < MAX_DEPTH && typeof at === 'object' && at !== null; depth++) {
      const fields = at as Readonly<Record<string, unknown>>;
      const answer = ask(fields);
      if (answer !== undefined) return answer;
      at = isError(fields.cause) ? fields.cause : undefined;
    }
  } catch {
    // a hostile getter
  }
  return undefined;
}

/** What a subsystem says of its error, or of what that was caused by. */
const saidKind = (error: unknown): ErrorKind | undefined =>
  inChain(error, ({ kind }) =>
    kind === 'invalid' || kind === 'unsupported' || kind === 'connection' || kind === 'timeout'
      ? kind
      : undefined,
  );

/**
 * Whether a subsystem refused what the caller gave it. Core takes an argument that Node refuses for a bug, and
 * a `SyntaxError` for a bad answer: so it is of the registry, and of a subsystem that is given the caller's
 * source it is a mistake in that.
 */
const refusesInput = (operation: OperationName, error: unknown): boolean =>
  inChain(
    error,
    ({ name, code }) =>
      (name === 'SyntaxError' && takesSource(operation)) ||
      (typeof code === 'string' && /^ERR_(?:INVALID_ARG_|OUT_OF_RANGE$)/.test(code)) ||
      undefined,
  ) ?? false;

/** Whether an operation is given source that can be wrong: then its table has a row for that. */
function takesSource(operation: OperationName): boolean {
  return ERROR_TABLES[operation].some(({ kind }) => kind === 'invalid');
}

/**
 * What kind of error this is. A subsystem can say so itself, with a `kind` of this name on the error
 * or on one of its causes; otherwise core's classification of it decides, causes and codes included.
 */
export function kindOf(operation: OperationName, error: unknown): ErrorKind {
  const said = saidKind(error);
  if (said !== undefined) return said;
  const { category } = classify(error);
  if (category === 'validation') return 'invalid';
  if (category === 'internal' && refusesInput(operation, error)) return 'invalid';
  if (category === 'network') return 'connection';
  if (category === 'timeout') return 'timeout';
  if (nameOf(error).startsWith('Unsupported')) return 'unsupported';
  return 'other';
}

function nameOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.name) : '';
  } catch {
    return ''; // a hostile getter
  }
}

/**
 * Whether trying again may help: core's classification says so, or the subsystem calls it a
 * connection or a timeout. Our own refusals and what is the caller's fault are never worth it.
 */
export function isWorthRetrying(operation: OperationName, error: unknown): boolean {
  if (isCallersFault(operation, error)) return false;
  if (classify(error).transient) return true;
  return !isTemperError(error) && ['connection', 'timeout'].includes(saidKind(error) ?? '');
}

/**
 * What an error of this operation counts as, by its table. A refusal of one of our own policies (a
 * limit, an open circuit) says nothing about the subsystem, and keeps its own classification.
 */
export function verdictOf(operation: OperationName, error: unknown): Verdict {
  if (isRefusal(error)) {
    const { category, severity } = classify(error);
    return { category, severity };
  }
  const kind = kindOf(operation, error);
  const table = ERROR_TABLES[operation];
  const found = table.find((one) => one.kind === kind) ?? (table.at(-1) as Row);
  return { category: found.category, severity: found.severity };
}

/**
 * Whether an error is the caller's own (an invalid program, say, or a package that it may not read) and says
 * nothing against the subsystem: such an error neither opens a breaker nor is worth a retry or a degraded
 * answer.
 */
export function isCallersFault(operation: OperationName, error: unknown): boolean {
  const kind = kindOf(operation, error);
  if (kind === 'invalid' || kind === 'unsupported') return true;
  return saidKind(error) === undefined && !isFailure({ ok: false, error });
}
