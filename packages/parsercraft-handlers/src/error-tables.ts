import { classify, type ErrorCategory, type ErrorSeverity, isTemperError } from '@temper/core';

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

/**
 * What kind of error this is. A subsystem can say so itself, with a `kind` of this name on the error;
 * otherwise core's classification of it decides, causes and codes included.
 */
export function kindOf(error: unknown): ErrorKind {
  const own = typeof error === 'object' && error !== null ? (error as { kind?: unknown }).kind : 0;
  if (own === 'invalid' || own === 'unsupported' || own === 'connection' || own === 'timeout') {
    return own;
  }
  const { category } = classify(error);
  if (category === 'validation') return 'invalid';
  if (category === 'network') return 'connection';
  if (category === 'timeout') return 'timeout';
  if (nameOf(error).startsWith('Unsupported')) return 'unsupported';
  return 'other';
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}

/**
 * What an error of this operation counts as, by its table. A refusal of one of our own policies (a
 * limit, an open circuit) says nothing about the subsystem, and keeps its own classification.
 */
export function verdictOf(operation: OperationName, error: unknown): Verdict {
  const { category, severity } = classify(error);
  if (isTemperError(error) && category === 'resource') return { category, severity };
  const kind = kindOf(error);
  const table = ERROR_TABLES[operation];
  const found = table.find((one) => one.kind === kind) ?? (table.at(-1) as Row);
  return { category: found.category, severity: found.severity };
}

/**
 * Whether an error is the caller's own (an invalid program, say) and says nothing against the
 * subsystem: such an error neither opens a breaker nor is worth a retry or a degraded answer.
 */
export function isCallersFault(error: unknown): boolean {
  const kind = kindOf(error);
  return kind === 'invalid' || kind === 'unsupported';
}
