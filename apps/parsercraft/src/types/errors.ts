import { type Diagnostic, formatDiagnostic } from '../source/diagnostic.ts';

/**
 * A program has type errors. `line` and `column` are those of the first one.
 */
export class TypeCheckError extends TypeError {
  override readonly name = 'TypeCheckError';
  readonly code = 'ERR_PARSERCRAFT_TYPES';
  readonly diagnostics: readonly Diagnostic[];
  readonly line: number;
  readonly column: number;

  constructor(diagnostics: readonly Diagnostic[]) {
    super(diagnostics.map(formatDiagnostic).join('\n'));
    this.diagnostics = diagnostics;
    this.line = diagnostics[0]?.start.line ?? 1;
    this.column = diagnostics[0]?.start.column ?? 1;
  }
}
