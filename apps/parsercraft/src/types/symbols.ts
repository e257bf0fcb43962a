import type { BuiltinFunction } from '../lang/definition.ts';
import type { FunctionDeclaration, Name } from '../parse/ast.ts';
import type { Type } from './type.ts';

/** Something declared in a program. Two uses of a name mean the same if their symbol is the same. */
export interface VariableSymbol {
  readonly kind: 'variable' | 'parameter' | 'loop variable';
  readonly name: string;
  readonly declaration: Name;
  type: Type;
  /** The function body it lives in. */
  readonly owner: FunctionScope;
  /** Whether a function expression inside its owner uses it. */
  captured: boolean;
}

export interface FunctionSymbol {
  readonly kind: 'function';
  readonly name: string;
  readonly declaration: Name;
  readonly node: FunctionDeclaration;
  type: Type;
  /** The package it is from; empty for the program itself. */
  readonly module: string;
}

export interface BuiltinSymbol {
  readonly kind: 'builtin';
  readonly name: string;
  readonly builtin: BuiltinFunction;
}

export type DeclaredSymbol = VariableSymbol | FunctionSymbol;
export type AnySymbol = DeclaredSymbol | BuiltinSymbol;

/** A function body, or the main program: what `return` and captured variables belong to. */
export interface FunctionScope {
  readonly parent: FunctionScope | undefined;
  /** What it gives back; `undefined` in the main program, which gives nothing back. */
  readonly result: Type | undefined;
}

/** Names and what they mean, one block inside the other. */
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

  /** The symbol of a name declared in this very block. */
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

  /** Everything that can be named here, innermost first. */
  visible(): readonly AnySymbol[] {
    const found = new Map<string, AnySymbol>();
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.#parent) {
      for (const [name, symbol] of scope.#names) if (!found.has(name)) found.set(name, symbol);
    }
    return [...found.values()];
  }
}
