/** A program is right and can be interpreted, but C code of it is not supported. */
export class UnsupportedConstructError extends Error {
  override readonly name = 'UnsupportedConstructError';
  readonly code = 'ERR_PARSERCRAFT_UNSUPPORTED';
  /** What it is, for instance `a function as a value`. */
  readonly construct: string;
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
  /** The package it is in; empty for the program itself. */
  readonly module: string;

  constructor(
    construct: string,
    at: { readonly line: number; readonly column: number },
    module = '',
  ) {
    const place = `${module === '' ? '' : `${module}:`}${at.line}:${at.column}`;
    super(`${place}: ${construct} cannot be written in C; the interpreter runs it.`);
    this.construct = construct;
    this.line = at.line;
    this.column = at.column;
    this.module = module;
  }
}
