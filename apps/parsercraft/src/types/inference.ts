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

/** Maximum number of reported type errors per text. */
const MAX_TYPE_ERRORS = 100;

/** The shared state of the checks of one text: tables, unifier and diagnostics. */
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

  report(span: Span, code: string, message: string): void {
    if (this.diagnostics.length >= MAX_TYPE_ERRORS) return;
    const fault = { source: 'type', code, message } as const;
    this.diagnostics.push(diagnosticAt(this.#parsed.lines, span, fault));
  }

  text(type: Type): string {
    return typeText(type, this.definition);
  }

  /** Unifies `found` with `expected`, or reports a type mismatch. */
  expect(span: Span, expected: Type, found: Type): void {
    const [want, have] = [this.text(expected), this.text(found)];
    if (!this.unifier.unify(expected, found)) {
      this.report(span, 'type-mismatch', `expected ${want}, found ${have}`);
    }
  }

  /** Restricts `found` to the allowed types, or reports a type mismatch. */
  expectOneOf(span: Span, allowed: readonly TypeName[], found: Type): boolean {
    const have = this.text(found);
    if (this.unifier.restrict(found, allowed)) return true;
    const want = allowedText(allowed, this.definition);
    this.report(span, 'type-mismatch', `expected ${want}, found ${have}`);
    return false;
  }

  /** The type of an annotation. */
  written(node: TypeNode): Type {
    if (node.kind === 'FunctionTypeNode') {
      const parameters = node.parameters.map((one) => this.written(one));
      const result = node.result === undefined ? VOID : this.written(node.result);
      return { kind: 'function', parameters, result };
    }
    if (node.type !== undefined) return PLAIN[node.type];
    const known = Object.values(this.definition.types).join(', ');
    this.report(node.span, 'unknown-type', `unknown type '${node.text}'; expected one of ${known}`);
    return UNKNOWN;
  }

  /** Declares a variable in a scope. Reports a name that is already declared there. */
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
        taken.kind === 'builtin'
          ? 'the name of a built-in function'
          : `already declared as a ${taken.kind} in this scope`;
      this.report(declaration.span, 'name-taken', `'${name}' is ${what}`);
    }
    this.symbols.push(symbol);
    this.meanings.set(declaration, symbol);
    scope.declare(symbol);
    return symbol;
  }
}
