import type { LanguageDefinition } from '../lang/definition.ts';
import type { TypeName } from '../lang/vocabulary.ts';
import type { Expression, Name, TypeNode } from '../parse/ast.ts';
import type { ParseResult } from '../parse/parse.ts';
import { type Diagnostic, diagnosticAt } from '../source/diagnostic.ts';
import type { Span } from '../source/source.ts';
import type { Import } from './module.ts';
import type {
  AnySymbol,
  DeclaredSymbol,
  FunctionSymbol,
  Scope,
  VariableSymbol,
} from './symbols.ts';
import { allowedText, PLAIN, type Type, typeText, UNKNOWN, VOID } from './type.ts';
import { Unifier } from './unify.ts';

/** Faults of one text that are reported. */
const MAX_TYPE_ERRORS = 100;

/** What the checks of one text share: its tables, its unifier and its list of faults. */
export class Inference {
  readonly definition: LanguageDefinition;
  readonly unifier: Unifier = new Unifier();
  readonly types: Map<Expression, Type> = new Map();
  readonly meanings: Map<Name, AnySymbol> = new Map();
  readonly symbols: DeclaredSymbol[] = [];
  readonly scopes: { span: Span; scope: Scope }[] = [];
  readonly imports: Map<string, Import> = new Map();
  readonly functions: Map<string, FunctionSymbol> = new Map();
  readonly diagnostics: Diagnostic[] = [];
  readonly #parsed: ParseResult;

  constructor(parsed: ParseResult) {
    this.definition = parsed.definition;
    this.#parsed = parsed;
  }

  complain(span: Span, code: string, message: string): void {
    if (this.diagnostics.length >= MAX_TYPE_ERRORS) return;
    const fault = { source: 'type', code, message } as const;
    this.diagnostics.push(diagnosticAt(this.#parsed.lines, span, fault));
  }

  text(type: Type): string {
    return typeText(type, this.definition);
  }

  /** Says that `found` must be `expected`; a complaint when it cannot be. */
  expect(span: Span, expected: Type, found: Type): void {
    const [want, have] = [this.text(expected), this.text(found)];
    if (!this.unifier.unify(expected, found)) {
      this.complain(span, 'type-mismatch', `expected ${want}, found ${have}`);
    }
  }

  /** Says that `found` must be one of the named types; a complaint when it cannot be. */
  expectOneOf(span: Span, allowed: readonly TypeName[], found: Type): boolean {
    const have = this.text(found);
    if (this.unifier.restrict(found, allowed)) return true;
    const want = allowedText(allowed, this.definition);
    this.complain(span, 'type-mismatch', `expected ${want}, found ${have}`);
    return false;
  }

  /** The type that is written down. */
  written(node: TypeNode): Type {
    if (node.kind === 'FunctionTypeNode') {
      const parameters = node.parameters.map((one) => this.written(one));
      const result = node.result === undefined ? VOID : this.written(node.result);
      return { kind: 'function', parameters, result };
    }
    if (node.type !== undefined) return PLAIN[node.type];
    const known = Object.values(this.definition.types).join(', ');
    this.complain(node.span, 'unknown-type', `there is no type '${node.text}'; there are ${known}`);
    return UNKNOWN;
  }

  /** Declares a variable in a block; a complaint when its name is taken there. */
  declareVariable(
    scope: Scope,
    kind: VariableSymbol['kind'],
    declaration: Name,
    type: Type,
  ): VariableSymbol {
    const name = declaration.text;
    const symbol: VariableSymbol = {
      kind,
      name,
      declaration,
      type,
      owner: scope.owner,
      captured: false,
    };
    const taken =
      scope.own(name) ?? (scope.find(name)?.kind === 'builtin' ? scope.find(name) : undefined);
    if (taken !== undefined && name !== '') {
      const what =
        taken.kind === 'builtin' ? 'a built-in function' : `already a ${taken.kind} here`;
      this.complain(declaration.span, 'name-taken', `'${name}' is ${what}`);
    }
    this.symbols.push(symbol);
    this.meanings.set(declaration, symbol);
    scope.declare(symbol);
    return symbol;
  }
}
