import type { ErrorKind, ErrorRow } from '../error-table.ts';

/** The guarded operations of a ParserCraft. */
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

const row = (
  kind: ErrorKind,
  category: ErrorRow['category'],
  severity: ErrorRow['severity'],
): ErrorRow => ({ kind, category, severity });

/** The report's tables, one per operation. The last row is for everything else. */
export const ERROR_TABLES: Readonly<Record<OperationName, readonly ErrorRow[]>> = {
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
