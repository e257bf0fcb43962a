import type { LineIndex, Position, Span } from './source.ts';

/** The phase that reported it: lexer and parser, or type checker. */
type DiagnosticSource = 'syntax' | 'type';

/** An error in a source text, with its range. */
export interface Diagnostic {
  readonly source: DiagnosticSource;
  /** Stable identifier of the kind of error, for example `type-mismatch`. */
  readonly code: string;
  readonly message: string;
  readonly start: Position;
  readonly end: Position;
}

/** Creates a diagnostic, with the span clamped to the text. */
export function diagnosticAt(
  lines: LineIndex,
  span: Span,
  fault: { readonly source: DiagnosticSource; readonly code: string; readonly message: string },
): Diagnostic {
  const start = lines.positionAt(span.start);
  const end = lines.positionAt(Math.max(span.end, start.offset));
  return { ...fault, start, end };
}

/** Formats a diagnostic as `3:7: message`. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  return `${diagnostic.start.line}:${diagnostic.start.column}: ${diagnostic.message}`;
}
