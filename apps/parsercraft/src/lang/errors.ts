/** One fault in a language definition. */
export interface DefinitionIssue {
  /** Where in the document, as keys joined by dots, for instance `operators.2.precedence`. */
  readonly path: string;
  readonly message: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/** A language definition is not valid; every fault found is in `issues`, in document order. */
export class LanguageDefinitionError extends Error {
  override readonly name = 'LanguageDefinitionError';
  readonly code = 'ERR_PARSERCRAFT_DEFINITION';
  readonly issues: readonly DefinitionIssue[];

  constructor(issues: readonly DefinitionIssue[]) {
    const lines = issues.map(
      ({ line, column, path, message }) =>
        `${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`,
    );
    super(`The language definition is not valid:\n${lines.join('\n')}`);
    this.issues = issues;
  }
}
