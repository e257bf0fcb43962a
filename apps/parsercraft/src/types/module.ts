import type { Expression, Name, UseDeclaration } from '../parse/ast.ts';
import type { ParseResult } from '../parse/parse.ts';
import type { Diagnostic } from '../source/diagnostic.ts';
import type { Span } from '../source/source.ts';
import type { AnySymbol, DeclaredSymbol, FunctionSymbol, Scope } from './symbols.ts';
import type { Type } from './type.ts';

/** A resolved `use`. */
export interface Import {
  readonly declaration: UseDeclaration;
  /** The local name of the package. */
  readonly alias: string;
  readonly module: CheckedModule;
}

/** A type-checked text. */
export interface CheckedModule {
  /** The package name; empty for the main program. */
  readonly name: string;
  readonly parsed: ParseResult;
  readonly imports: ReadonlyMap<string, Import>;
  /** The top-level functions by name. */
  readonly functions: ReadonlyMap<string, FunctionSymbol>;
  readonly types: ReadonlyMap<Expression, Type>;
  /** The symbol of every name, for declarations and uses. */
  readonly meanings: ReadonlyMap<Name, AnySymbol>;
  /** Every variable and function declared in the text, in source order. */
  readonly symbols: readonly DeclaredSymbol[];
  /** The scopes of the text with their spans. */
  readonly scopes: readonly { readonly span: Span; readonly scope: Scope }[];
  readonly diagnostics: readonly Diagnostic[];
}
