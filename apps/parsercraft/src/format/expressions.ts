import type { LanguageDefinition, Operator } from '../lang/definition.ts';
import type { BinaryMeaning, PrefixMeaning } from '../lang/vocabulary.ts';
import { isWord } from '../lang/words.ts';
import type { Block, Expression, Parameter, TypeNode } from '../parse/ast.ts';
import { encodeString } from '../parse/literals.ts';

/** Prints a block at an indentation level. Provided by the statement printer. */
type BlockPrinter = (block: Block, indent: number) => string;

/**
 * Prints types and expressions with the spellings of a definition and without redundant
 * parentheses.
 */
export class ExpressionPrinter {
  readonly #definition: LanguageDefinition;
  readonly #block: BlockPrinter;
  readonly #operators: ReadonlyMap<string, Operator>;

  constructor(definition: LanguageDefinition, block: BlockPrinter) {
    this.#definition = definition;
    this.#block = block;
    this.#operators = new Map(definition.operators.map((one) => [one.meaning, one]));
  }

  expression(node: Expression, indent: number): string {
    switch (node.kind) {
      case 'IntLiteral':
        return `${node.value}`;
      case 'FloatLiteral':
        return floatText(node.value);
      case 'BoolLiteral':
        return this.#definition.keywords[node.value ? 'true' : 'false'];
      case 'StringLiteral':
        return encodeString(node.value);
      case 'NameExpression':
        return node.name.text;
      case 'MemberExpression':
        return `${node.module.text}.${node.member.text}`;
      case 'PrefixExpression':
        return this.#prefix(node.operator, node.operand, indent);
      case 'BinaryExpression':
        return this.#binary(node.operator, node.left, node.right, indent);
      case 'CallExpression': {
        const list = node.arguments.map((argument) => this.expression(argument, indent));
        return `${this.#callee(node.callee, indent)}(${list.join(', ')})`;
      }
      case 'FunctionExpression': {
        const head = `${this.#definition.keywords.function}${this.signature(node.parameters, node.result)}`;
        return `${head} ${this.#block(node.body, indent)}`;
      }
      case 'ErrorExpression':
        throw new TypeError('A tree with syntax errors cannot be formatted.');
    }
  }

  /** `(a: int, b): bool`. */
  signature(parameters: readonly Parameter[], result: TypeNode | undefined): string {
    const list = parameters.map(
      ({ name, annotation }) => `${name.text}${this.annotation(annotation)}`,
    );
    return `(${list.join(', ')})${this.annotation(result)}`;
  }

  annotation(node: TypeNode | undefined): string {
    return node === undefined ? '' : `: ${this.#type(node)}`;
  }

  #type(node: TypeNode): string {
    if (node.kind === 'NamedType') {
      return node.type === undefined ? node.text : this.#definition.types[node.type];
    }
    const list = node.parameters.map((parameter) => this.#type(parameter));
    return `${this.#definition.keywords.function}(${list.join(', ')})${this.annotation(node.result)}`;
  }

  #callee(node: Expression, indent: number): string {
    const text = this.expression(node, indent);
    const bare = ['NameExpression', 'MemberExpression', 'CallExpression'].includes(node.kind);
    return bare ? text : `(${text})`;
  }

  #prefix(meaning: PrefixMeaning, operand: Expression, indent: number): string {
    const { symbol, precedence } = this.#operator(meaning);
    const inner = this.#weight(operand);
    const text = this.expression(operand, indent);
    // The operand of a prefix operator includes only binary operators of higher precedence.
    const closed = operand.kind === 'BinaryExpression' ? inner <= precedence : inner < precedence;
    if (closed) return isWord(symbol) ? `${symbol} (${text})` : `${symbol}(${text})`;
    // Two adjacent signs could be read as one token.
    const apart = isWord(symbol) || operand.kind === 'PrefixExpression' || leftmostPrefix(operand);
    return apart ? `${symbol} ${text}` : `${symbol}${text}`;
  }

  #binary(meaning: BinaryMeaning, left: Expression, right: Expression, indent: number): string {
    const operator = this.#operator(meaning);
    const { symbol, precedence } = operator;
    const associativity = operator.kind === 'binary' ? operator.associativity : 'none';
    const side = (node: Expression, groups: boolean): string => {
      const weight = this.#weight(node);
      const text = this.expression(node, indent);
      const equal = node.kind === 'BinaryExpression' && weight === precedence;
      return weight < precedence || (equal && !groups) ? `(${text})` : text;
    };
    return `${side(left, associativity === 'left')} ${symbol} ${side(right, associativity === 'right')}`;
  }

  /** The precedence of a node's operator; 100 for a node without one. */
  #weight(node: Expression): number {
    if (node.kind !== 'PrefixExpression' && node.kind !== 'BinaryExpression') return 100;
    return this.#operator(node.operator).precedence;
  }

  #operator(meaning: BinaryMeaning | PrefixMeaning): Operator {
    const operator = this.#operators.get(meaning);
    if (operator !== undefined) return operator;
    throw new TypeError(`The language '${this.#definition.name}' has no operator for ${meaning}.`);
  }
}

/** A float literal that parses back to `value`, which must be finite and not negative. */
export function floatText(value: number): string {
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

function leftmostPrefix(node: Expression): boolean {
  let at = node;
  while (at.kind === 'BinaryExpression') at = at.left;
  return at.kind === 'PrefixExpression';
}
