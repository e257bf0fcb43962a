/** A valid program uses a construct that cannot be compiled to C. The interpreter can run it. */
export class UnsupportedConstructError extends Error {
  override readonly name = 'UnsupportedConstructError';
  readonly code = 'ERR_PARSERCRAFT_UNSUPPORTED';
  /** The construct, for example `a function value`. */
  readonly construct: string;
  /** 1-based. */
  readonly line: number;
  /** 1-based. */
  readonly column: number;
  /** The package that contains it; empty for the main program. */
  readonly module: string;

  constructor(
    construct: string,
    at: { readonly line: number; readonly column: number },
    module = '',
  ) {
    const place = `${module === '' ? '' : `${module}:`}${at.line}:${at.column}`;
    super(`${place}: ${construct} cannot be compiled to C; run the program with the interpreter.`);
    this.construct = construct;
    this.line = at.line;
    this.column = at.column;
    this.module = module;
  }
}
