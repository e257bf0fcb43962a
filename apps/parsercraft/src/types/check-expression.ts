import type {
  CallExpression,
  Expression,
  FunctionExpression,
  MemberExpression,
  NameExpression,
} from '../parse/ast.ts';
import type { Span } from '../source/source.ts';
import type { Inference } from './inference.ts';
import { BINARY_RULES, INTRINSIC_RULES, PREFIX_RULES, type Rule } from './operators.ts';
import type { BuiltinSymbol, Scope } from './symbols.ts';
import {
  BOOL,
  FLOAT,
  type FunctionType,
  INT,
  resolve,
  STRING,
  type Type,
  typeVariable,
  UNKNOWN,
} from './type.ts';

/** Checks the parameters and body of a function expression. Provided by the statement checker. */
type FunctionChecker = (node: FunctionExpression, scope: Scope) => FunctionType;

/** Infers the types of expressions. */
export class ExpressionChecker {
  readonly #inference: Inference;
  readonly #function: FunctionChecker;
  readonly #mainNames: ReadonlySet<string>;

  /** @param mainNames - variables of the main program, for the error when a function uses one */
  constructor(
    inference: Inference,
    functionChecker: FunctionChecker,
    mainNames: ReadonlySet<string>,
  ) {
    this.#inference = inference;
    this.#function = functionChecker;
    this.#mainNames = mainNames;
  }

  /** The type of an expression whose value is used. */
  value(node: Expression, scope: Scope): Type {
    const type = this.#any(node, scope, false);
    if (this.#inference.unifier.demandValue(type)) return type;
    this.#inference.report(node.span, 'no-value', 'this call does not return a value');
    return UNKNOWN;
  }

  /** Checks a call whose value, if any, is not used. */
  statement(node: Expression, scope: Scope): void {
    this.#any(node, scope, true);
  }

  #any(node: Expression, scope: Scope, unused: boolean): Type {
    const type = this.#find(node, scope, unused);
    this.#inference.types.set(node, type);
    return type;
  }

  #find(node: Expression, scope: Scope, unused: boolean): Type {
    switch (node.kind) {
      case 'IntLiteral':
        return INT;
      case 'FloatLiteral':
        return FLOAT;
      case 'BoolLiteral':
        return BOOL;
      case 'StringLiteral':
        return STRING;
      case 'NameExpression':
        return this.#name(node, scope);
      case 'MemberExpression':
        return this.#member(node);
      case 'PrefixExpression':
        return this.#apply(PREFIX_RULES[node.operator], [node.operand], scope);
      case 'BinaryExpression':
        return this.#apply(BINARY_RULES[node.operator], [node.left, node.right], scope);
      case 'CallExpression':
        return this.#call(node, scope, unused);
      case 'FunctionExpression':
        return this.#function(node, scope);
      case 'ErrorExpression':
        return UNKNOWN;
    }
  }

  #name({ name, span }: NameExpression, scope: Scope): Type {
    const symbol = scope.find(name.text);
    if (symbol === undefined) {
      this.#unknownName(name.text, span);
      return UNKNOWN;
    }
    this.#inference.meanings.set(name, symbol);
    if (symbol.kind === 'builtin') {
      const message = `'${name.text}' is a built-in function and cannot be used as a value`;
      this.#inference.report(span, 'builtin-value', message);
      return UNKNOWN;
    }
    if (symbol.kind !== 'function' && symbol.owner !== scope.owner) symbol.captured = true;
    return symbol.type;
  }

  #unknownName(name: string, span: Span): void {
    if (name === '') return;
    const inMain = this.#mainNames.has(name);
    const message = inMain
      ? `'${name}' is a variable of the main program and is not visible in a function`
      : `undefined name '${name}'`;
    this.#inference.report(span, 'unknown-name', message);
  }

  #member({ module, member }: MemberExpression): Type {
    const found = this.#inference.imports.get(module.text);
    if (found === undefined) {
      const message = `no package is imported as '${module.text}'`;
      this.#inference.report(module.span, 'unknown-package', message);
      return UNKNOWN;
    }
    const symbol = found.module.functions.get(member.text);
    if (symbol === undefined) {
      const message = `package '${found.declaration.packageName}' has no function '${member.text}'`;
      this.#inference.report(member.span, 'unknown-name', message);
      return UNKNOWN;
    }
    this.#inference.meanings.set(member, symbol);
    return symbol.type;
  }

  #call(node: CallExpression, scope: Scope, unused: boolean): Type {
    const builtin = this.#builtinOf(node.callee, scope);
    if (builtin !== undefined) return this.#callBuiltin(node, builtin, scope);
    const callee = this.value(node.callee, scope);
    const list = node.arguments.map((argument) => this.value(argument, scope));
    const found = resolve(callee);
    if (found.kind === 'unknown') return UNKNOWN;
    if (found.kind === 'variable') {
      const result = typeVariable(undefined, { mayBeVoid: unused });
      const wanted: FunctionType = { kind: 'function', parameters: list, result };
      this.#inference.expect(node.callee.span, wanted, found);
      return result;
    }
    if (found.kind !== 'function') {
      const message = `a value of type ${this.#inference.text(found)} cannot be called`;
      this.#inference.report(node.callee.span, 'not-a-function', message);
      return UNKNOWN;
    }
    if (found.parameters.length !== list.length) {
      this.#arity(node, found.parameters.length, found.parameters.length);
    } else {
      found.parameters.forEach((parameter, index) => {
        const argument = node.arguments[index] as Expression;
        this.#inference.expect(argument.span, parameter, list[index] as Type);
      });
    }
    if (!unused) this.#inference.unifier.demandValue(found.result);
    return found.result;
  }

  #builtinOf(callee: Expression, scope: Scope): BuiltinSymbol | undefined {
    if (callee.kind !== 'NameExpression') return undefined;
    const symbol = scope.find(callee.name.text);
    return symbol?.kind === 'builtin' ? symbol : undefined;
  }

  #callBuiltin(node: CallExpression, symbol: BuiltinSymbol, scope: Scope): Type {
    const { meaning, arity } = symbol.builtin;
    if (node.callee.kind === 'NameExpression') {
      this.#inference.meanings.set(node.callee.name, symbol);
    }
    const count = node.arguments.length;
    const right = count >= arity.min && count <= arity.max;
    if (!right) this.#arity(node, arity.min, arity.max);
    const rule = INTRINSIC_RULES[meaning];
    if (right) return this.#apply(rule, node.arguments, scope);
    for (const argument of node.arguments) this.value(argument, scope);
    return rule.result === 'first' ? UNKNOWN : rule.result;
  }

  #arity(node: CallExpression, min: number, max: number): void {
    const wanted = min === max ? `${min}` : `${min} to ${max}`;
    const message = `expected ${wanted} ${max === 1 ? 'argument' : 'arguments'}, found ${node.arguments.length}`;
    this.#inference.report(node.span, 'wrong-arity', message);
  }

  #apply(rule: Rule, operands: readonly Expression[], scope: Scope): Type {
    const types = operands.map((operand) => this.value(operand, scope));
    let fits = true;
    operands.forEach((operand, index) => {
      const allowed = index > 0 ? (rule.rest ?? rule.operands) : rule.operands;
      const type = types[index] as Type;
      if (!this.#inference.expectOneOf(operand.span, allowed, type)) fits = false;
    });
    const [first, second] = types;
    if (fits && rule.same && first !== undefined && second !== undefined) {
      this.#inference.expect((operands[1] as Expression).span, first, second);
    }
    return rule.result === 'first' ? (fits ? (first ?? UNKNOWN) : UNKNOWN) : rule.result;
  }
}
