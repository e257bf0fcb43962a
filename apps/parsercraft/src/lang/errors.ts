/** An issue in a language definition. */
export interface DefinitionIssue {
  /** The path in the document: keys joined by dots, for example `operators.2.precedence`. */
  readonly path: string;
  readonly message: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
}

/** A language definition is invalid. `issues` has every issue found, in document order. */
export class LanguageDefinitionError extends Error {
  override readonly name = 'LanguageDefinitionError';
  readonly code = 'ERR_PARSERCRAFT_DEFINITION';
  readonly issues: readonly DefinitionIssue[];

  constructor(issues: readonly DefinitionIssue[]) {
    const lines = issues.map(
      ({ line, column, path, message }) =>
        `${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`,
    );
    super(`Invalid language definition:\n${lines.join('\n')}`);
    this.issues = issues;
  }
}
