import type { LineIndex, Position, Span } from './source.ts';

/** What found the fault: the scanner and grammar, or the type checker. */
type DiagnosticSource = 'syntax' | 'type';

/** One fault in a source text, with where it is. */
export interface Diagnostic {
  readonly source: DiagnosticSource;
  /** Stable word for the kind of fault, for instance `type-mismatch`. */
  readonly code: string;
  readonly message: string;
  readonly start: Position;
  readonly end: Position;
}

/** Makes a diagnostic whose two ends lie in the text, whatever the span says. */
export function diagnosticAt(
  lines: LineIndex,
  span: Span,
  fault: { readonly source: DiagnosticSource; readonly code: string; readonly message: string },
): Diagnostic {
  const start = lines.positionAt(span.start);
  const end = lines.positionAt(Math.max(span.end, start.offset));
  return { ...fault, start, end };
}

/** `3:7: message`, as a compiler prints it. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  return `${diagnostic.start.line}:${diagnostic.start.column}: ${diagnostic.message}`;
}
