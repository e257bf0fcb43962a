import type { Intrinsic } from '../lang/vocabulary.ts';
import type { CallExpression, Expression, Name } from '../parse/ast.ts';
import type { CheckedModule } from '../types/module.ts';
import type { AnySymbol, FunctionSymbol, VariableSymbol } from '../types/symbols.ts';
import type { PlainType } from '../types/type.ts';
import { cDeclaration, cFloat, cInt, cString, snake } from './c-text.ts';
import { UnsupportedConstructError } from './errors.ts';

type CType = Exclude<PlainType['kind'], 'unknown'>;

/** A C expression. `effects`: it may print, fail or call, so its evaluation order matters. */
interface Lowered {
  readonly text: string;
  readonly type: CType;
  readonly effects: boolean;
}

/** The C names of functions, variables and temporaries. */
export interface CNames {
  function(symbol: FunctionSymbol): string;
  variable(symbol: VariableSymbol): string;
  temporary(): string;
}

const FAILING: ReadonlySet<string> = new Set([
  'int_add',
  'int_subtract',
  'int_multiply',
  'int_divide',
  'int_remainder',
  'int_power',
  'int_negate',
  'int_abs',
  'string_add',
  'float_to_int',
  'float_floor',
]);

/**
 * Lowers expressions to C. The language evaluates operands from left to right, while C leaves the
 * order unspecified. Operands with effects are therefore stored in temporaries when there are two
 * or more.
 */
export class ExpressionLowering {
  readonly #module: CheckedModule;
  readonly #names: CNames;
  /** The statements emitted so far, without indentation. */
  readonly out: string[];

  constructor(module: CheckedModule, names: CNames, out: string[]) {
    this.#module = module;
    this.#names = names;
    this.out = out;
  }

  expression(node: Expression): Lowered {
    switch (node.kind) {
      case 'IntLiteral':
        return pure('int', cInt(node.value));
      case 'FloatLiteral':
        return pure('float', cFloat(node.value));
      case 'BoolLiteral':
        return pure('bool', node.value ? 'true' : 'false');
      case 'StringLiteral':
        return pure('string', cString(node.value));
      case 'NameExpression': {
        const symbol = this.symbol(node.name);
        if (symbol.kind === 'function' || symbol.kind === 'builtin')
          return this.#functionValue(node);
        return pure(this.typeOf(node), this.#names.variable(symbol));
      }
      case 'MemberExpression':
      case 'FunctionExpression':
        return this.#functionValue(node);
      case 'PrefixExpression': {
        const operand = this.expression(node.operand);
        if (node.operator === 'not') return { ...operand, text: `(!${operand.text})` };
        return this.#apply(`${operand.type}_negate`, operand.type, [operand], node.span.start);
      }
      case 'BinaryExpression': {
        const { operator, left, right } = node;
        if (operator === 'and' || operator === 'or') return this.#logic(operator, left, right);
        const type = this.typeOf(left);
        const meaning = operator === 'concatenate' ? 'add' : operator;
        const operands = this.operands([left, right]);
        const result = this.typeOf(node);
        return this.#apply(`${type}_${snake(meaning)}`, result, operands, node.operatorSpan.start);
      }
      case 'CallExpression':
        return this.call(node);
      case 'ErrorExpression':
        throw new TypeError('A program with syntax errors cannot be compiled to C.');
    }
  }

  /** Lowers a call, whether or not its value is used. */
  call(node: CallExpression): Lowered {
    const symbol = this.#called(node.callee);
    if (symbol?.kind === 'builtin') return this.#builtin(symbol.builtin.meaning, node);
    if (symbol?.kind !== 'function') return this.#functionValue(node.callee);
    const list = this.operands(node.arguments).map(({ text }) => text);
    const place = this.place(node.span.start);
    const text = `${this.#names.function(symbol)}(${[place, ...list].join(', ')})`;
    return { text, type: this.typeOf(node), effects: true };
  }

  /**
   * Lowers operands in order. If more than one has effects, all of those are stored in temporaries.
   */
  operands(
    nodes: readonly Expression[],
    { spill = false }: { readonly spill?: boolean } = {},
  ): readonly Lowered[] {
    const lowered: Lowered[] = [];
    for (const node of nodes) {
      const before = this.out.length;
      const one = this.expression(node);
      // The statements of this operand must run after the effects of the operands to its left.
      if (this.out.length > before) this.#spill(lowered, before);
      lowered.push(one);
    }
    if (spill || lowered.filter(({ effects }) => effects).length > 1) {
      this.#spill(lowered, this.out.length);
    }
    return lowered;
  }

  /** A source position as a C string literal, for runtime errors. */
  place(offset: number): string {
    const { line, column } = this.#module.parsed.lines.positionAt(offset);
    return cString(`${this.#module.name === '' ? '' : `${this.#module.name}:`}${line}:${column}`);
  }

  /** The C type of an expression. */
  typeOf(node: Expression): CType {
    const type = this.#module.types.get(node);
    if (type?.kind === 'function') return this.unsupported('a function value', node.span.start);
    if (type === undefined || type.kind === 'variable' || type.kind === 'unknown') {
      throw new TypeError('A program with type errors cannot be compiled to C.');
    }
    return type.kind;
  }

  symbol(name: Name): AnySymbol {
    const symbol = this.#module.meanings.get(name);
    if (symbol === undefined) throw new TypeError(`The name '${name.text}' is not resolved.`);
    return symbol;
  }

  unsupported(construct: string, offset: number): never {
    const at = this.#module.parsed.lines.positionAt(offset);
    throw new UnsupportedConstructError(construct, at, this.#module.name);
  }

  #functionValue(node: Expression): never {
    const construct =
      node.kind === 'FunctionExpression' ? 'a function expression' : 'a function value';
    return this.unsupported(construct, node.span.start);
  }

  #called(callee: Expression): AnySymbol | undefined {
    if (callee.kind === 'NameExpression') return this.symbol(callee.name);
    return callee.kind === 'MemberExpression' ? this.symbol(callee.member) : undefined;
  }

  #spill(lowered: Lowered[], at: number): void {
    const statements: string[] = [];
    lowered.forEach((one, index) => {
      if (!one.effects) return;
      const name = this.#names.temporary();
      statements.push(`${cDeclaration(one.type, name)} = ${one.text};`);
      lowered[index] = pure(one.type, name);
    });
    this.out.splice(at, 0, ...statements);
  }

  #logic(operator: 'and' | 'or', left: Expression, right: Expression): Lowered {
    const first = this.expression(left);
    const before = this.out.length;
    const second = this.expression(right);
    if (this.out.length === before) {
      const text = `(${first.text} ${operator === 'and' ? '&&' : '||'} ${second.text})`;
      return { text, type: 'bool', effects: first.effects || second.effects };
    }
    const name = this.#names.temporary();
    const statements = this.out.splice(before);
    this.out.push(`bool ${name} = ${first.text};`);
    this.out.push(`if (${operator === 'and' ? '' : '!'}${name}) {`, ...statements);
    this.out.push(`${name} = ${second.text};`, '}');
    return pure('bool', name);
  }

  #builtin(meaning: Intrinsic, node: CallExpression): Lowered {
    if (meaning === 'print') return this.#print(node.arguments);
    const operands = this.operands(node.arguments);
    const [first] = operands as readonly [Lowered];
    const at = node.span.start;
    switch (meaning) {
      case 'string':
        return { ...first, type: 'string', text: this.#text(first) };
      case 'int':
        return first.type === 'int' ? first : this.#apply('float_to_int', 'int', operands, at);
      case 'float':
        return first.type === 'float' ? first : this.#apply('int_to_float', 'float', operands, at);
      case 'length':
      case 'substring':
        return this.#apply(`string_${meaning}`, this.typeOf(node), operands, at);
      case 'floor':
        return this.#apply('float_floor', 'int', operands, at);
      default:
        return this.#apply(`${first.type}_${meaning}`, first.type, operands, at);
    }
  }

  #print(nodes: readonly Expression[]): Lowered {
    this.operands(nodes, { spill: nodes.length > 1 }).forEach((one, index) => {
      if (index > 0) this.out.push('pc_put(" ");');
      const writer = one.type === 'bool' ? 'put' : `put_${one.type}`;
      this.out.push(`pc_${writer}(${one.type === 'bool' ? this.#text(one) : one.text});`);
    });
    return { text: 'pc_put("\\n")', type: 'void', effects: true };
  }

  #text({ type, text }: Lowered): string {
    const { keywords } = this.#module.parsed.definition;
    if (type === 'bool')
      return `(${text} ? ${cString(keywords.true)} : ${cString(keywords.false)})`;
    return type === 'string' ? text : `pc_${type}_text(${text})`;
  }

  #apply(name: string, type: CType, operands: readonly Lowered[], offset: number): Lowered {
    const list = operands.map(({ text }) => text);
    const failing = FAILING.has(name);
    if (failing) list.push(this.place(offset));
    const effects = failing || operands.some((one) => one.effects);
    return { text: `pc_${name}(${list.join(', ')})`, type, effects };
  }
}

function pure(type: CType, text: string): Lowered {
  return { type, text, effects: false };
}
