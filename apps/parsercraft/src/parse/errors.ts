import { type Diagnostic, formatDiagnostic } from '../source/diagnostic.ts';

/** A text has syntax errors. `line` and `column` are those of the first one. */
export class ParseError extends SyntaxError {
  override readonly name = 'ParseError';
  readonly code = 'ERR_PARSERCRAFT_PARSE';
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
