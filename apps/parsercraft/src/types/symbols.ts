import type { BuiltinFunction } from '../lang/definition.ts';
import type { FunctionDeclaration, Name } from '../parse/ast.ts';
import type { Type } from './type.ts';

/**
 * Something declared in a program. Two uses of a name mean the same if their symbol is the same.
 */
export interface VariableSymbol {
  readonly kind: 'variable' | 'parameter' | 'loop variable';
  readonly name: string;
  readonly declaration: Name;
  type: Type;
  /** The function body that contains it. */
  readonly owner: FunctionScope;
  /** Whether a function expression inside its owner captures it. */
  captured: boolean;
}

export interface FunctionSymbol {
  readonly kind: 'function';
  readonly name: string;
  readonly declaration: Name;
  readonly node: FunctionDeclaration;
  type: Type;
  /** The package that declares it; empty for the main program. */
  readonly module: string;
}

export interface BuiltinSymbol {
  readonly kind: 'builtin';
  readonly name: string;
  readonly builtin: BuiltinFunction;
}

export type DeclaredSymbol = VariableSymbol | FunctionSymbol;
export type AnySymbol = DeclaredSymbol | BuiltinSymbol;

/** A function body, or the main program. Owns variables and `return` statements. */
export interface FunctionScope {
  readonly parent: FunctionScope | undefined;
  /** The return type; `undefined` in the main program. */
  readonly result: Type | undefined;
}

/** A lexical scope. */
export class Scope {
  readonly owner: FunctionScope;
  readonly inLoop: boolean;
  readonly #parent: Scope | undefined;
  readonly #names = new Map<string, AnySymbol>();

  constructor(owner: FunctionScope, parent: Scope | undefined, inLoop: boolean) {
    this.owner = owner;
    this.#parent = parent;
    this.inLoop = inLoop;
  }

  block(more: { readonly inLoop?: boolean; readonly owner?: FunctionScope } = {}): Scope {
    return new Scope(more.owner ?? this.owner, this, more.inLoop ?? this.inLoop);
  }

  /** The symbol of a name declared in this scope itself. */
  own(name: string): AnySymbol | undefined {
    return this.#names.get(name);
  }

  find(name: string): AnySymbol | undefined {
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.#parent) {
      const symbol = scope.#names.get(name);
      if (symbol !== undefined) return symbol;
    }
    return undefined;
  }

  declare(symbol: AnySymbol): void {
    this.#names.set(symbol.name, symbol);
  }

  /** All visible symbols, innermost scope first. */
  visible(): readonly AnySymbol[] {
    const found = new Map<string, AnySymbol>();
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.#parent) {
      for (const [name, symbol] of scope.#names) if (!found.has(name)) found.set(name, symbol);
    }
    return [...found.values()];
  }
}
