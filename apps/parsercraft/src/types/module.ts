import type { Expression, Name, UseDeclaration } from '../parse/ast.ts';
import type { ParseResult } from '../parse/parse.ts';
import type { Diagnostic } from '../source/diagnostic.ts';
import type { Span } from '../source/source.ts';
import type { AnySymbol, DeclaredSymbol, FunctionSymbol, Scope } from './symbols.ts';
import type { Type } from './type.ts';

/** A `use` that was resolved. */
export interface Import {
  readonly declaration: UseDeclaration;
  /** What the program calls the package. */
  readonly alias: string;
  readonly module: CheckedModule;
}

/** One text with everything that was found out about it. */
export interface CheckedModule {
  /** The package's name; empty for the program itself. */
  readonly name: string;
  readonly parsed: ParseResult;
  readonly imports: ReadonlyMap<string, Import>;
  /** The functions of the top level by name. */
  readonly functions: ReadonlyMap<string, FunctionSymbol>;
  readonly types: ReadonlyMap<Expression, Type>;
  /** What each name, where it is declared and where it is used, means. */
  readonly meanings: ReadonlyMap<Name, AnySymbol>;
  /** Every variable and function declared in the text, in its order. */
  readonly symbols: readonly DeclaredSymbol[];
  /** The blocks of the text with what can be named in them. */
  readonly scopes: readonly { readonly span: Span; readonly scope: Scope }[];
  readonly diagnostics: readonly Diagnostic[];
}
