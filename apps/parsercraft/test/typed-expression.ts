import type { BuiltinFunction, LanguageDefinition } from '../src/lang/definition.ts';
import type { BinaryMeaning, Intrinsic, TypeName } from '../src/lang/vocabulary.ts';
import type { Expression } from '../src/parse/ast.ts';
import type { Choices } from './choices.ts';
import { call, int, span, use } from './tree.ts';

export const TYPES = ['int', 'string', 'float', 'bool'] as const;
const INTS = [
  0n,
  1n,
  2n,
  3n,
  7n,
  10n,
  63n,
  1000n,
  4_294_967_296n,
  9_223_372_036_854_775_807n,
] as const;
const FLOATS = [
  0,
  1,
  0.5,
  0.1,
  3.75,
  1e16,
  562949953421312.25,
  1e-7,
  1e300,
  5e-324,
  2 ** 53 + 2,
] as const;
const STRINGS = [
  '',
  'a',
  'b',
  'abc',
  'ñandú',
  '😀!',
  '??/',
  '\\n"',
  'two\nlines',
  '\u{ffff}',
  'x y',
] as const;

export interface Variable {
  readonly name: string;
  readonly type: TypeName;
  readonly fixed: boolean;
}
interface KnownFunction {
  readonly name: string;
  readonly parameters: readonly TypeName[];
  readonly result: TypeName | undefined;
}

/** Generates expressions of a given type from the available variables and functions. */
export class TypedExpressions {
  readonly functions: KnownFunction[] = [];
  readonly #choices: Choices;
  readonly #definition: LanguageDefinition;

  constructor(definition: LanguageDefinition, choices: Choices) {
    this.#definition = definition;
    this.#choices = choices;
  }

  expression(type: TypeName, variables: readonly Variable[], depth: number): Expression {
    const known = variables.filter((one) => one.type === type);
    const variable = known[this.#choices.below(Math.max(1, known.length))];
    if (depth === 0 || this.#choices.usedUp || this.#choices.oneIn(4)) {
      return variable !== undefined && !this.#choices.oneIn(3)
        ? use(variable.name)
        : this.#literal(type);
    }
    if (this.#choices.oneIn(6)) {
      const made = this.callOf(type, variables, depth - 1);
      if (made !== undefined) return made;
    }
    const sub = (of: TypeName) => this.expression(of, variables, depth - 1);
    const made = this.#operation(type, sub);
    return made ?? this.#literal(type);
  }

  #operation(type: TypeName, sub: (type: TypeName) => Expression): Expression | undefined {
    const small = () => int(BigInt(this.#choices.below(9)));
    switch (type) {
      case 'int':
        switch (this.#choices.below(9)) {
          case 0:
            return this.call('int', sub(this.#choices.of(['float', 'int'] as const)));
          case 1:
            return this.call('length', sub('string'));
          case 2:
            return this.call('abs', sub('int'));
          case 3:
            return this.call(this.#choices.of(['min', 'max'] as const), sub('int'), sub('int'));
          case 4:
            return this.call('floor', sub('float'));
          case 5:
            return { kind: 'PrefixExpression', operator: 'negate', operand: sub('int'), span };
          case 6:
            return this.binary('power', sub('int'), this.#choices.oneIn(6) ? sub('int') : small());
          default: {
            const meanings = ['add', 'subtract', 'multiply', 'divide', 'remainder'] as const;
            return this.binary(this.#choices.of(meanings), sub('int'), sub('int'));
          }
        }
      case 'float':
        switch (this.#choices.below(6)) {
          case 0:
            return this.call('float', sub(this.#choices.of(['int', 'float'] as const)));
          case 1:
            return this.call(this.#choices.of(['min', 'max'] as const), sub('float'), sub('float'));
          case 2:
            return this.#choices.oneIn(2)
              ? this.call('abs', sub('float'))
              : { kind: 'PrefixExpression', operator: 'negate', operand: sub('float'), span };
          case 3:
            return this.binary(
              'power',
              sub('float'),
              this.#choices.oneIn(4) ? sub('int') : small(),
            );
          default: {
            const meanings = ['add', 'subtract', 'multiply', 'divide'] as const;
            return this.binary(this.#choices.of(meanings), sub('float'), sub('float'));
          }
        }
      case 'string':
        switch (this.#choices.below(4)) {
          case 0:
            return this.call('string', sub(this.#choices.of(TYPES)));
          case 1:
            return this.call(
              'substring',
              sub('string'),
              this.#choices.oneIn(3) ? sub('int') : small(),
              small(),
            );
          default:
            return this.binary(
              this.#choices.of(['add', 'concatenate'] as const),
              sub('string'),
              sub('string'),
            );
        }
      case 'bool': {
        const compared = this.#choices.of(TYPES);
        switch (this.#choices.below(4)) {
          case 0:
            return { kind: 'PrefixExpression', operator: 'not', operand: sub('bool'), span };
          case 1:
            return this.binary(this.#choices.of(['and', 'or'] as const), sub('bool'), sub('bool'));
          case 2:
            return this.binary(
              this.#choices.of(['equal', 'notEqual'] as const),
              sub(compared),
              sub(compared),
            );
          default: {
            const ordered = compared === 'bool' ? 'string' : compared;
            const meanings = ['less', 'lessOrEqual', 'greater', 'greaterOrEqual'] as const;
            return this.binary(this.#choices.of(meanings), sub(ordered), sub(ordered));
          }
        }
      }
    }
  }

  #literal(type: TypeName): Expression {
    switch (type) {
      case 'int':
        return int(this.#choices.of(INTS));
      case 'float':
        return { kind: 'FloatLiteral', value: this.#choices.of(FLOATS), span };
      case 'string':
        return { kind: 'StringLiteral', value: this.#choices.of(STRINGS), span };
      case 'bool':
        return { kind: 'BoolLiteral', value: this.#choices.below(2) === 0, span };
    }
  }

  /** A call of an earlier function that returns `result`. */
  callOf(
    result: TypeName | undefined,
    variables: readonly Variable[],
    depth: number,
  ): Expression | undefined {
    const fitting = this.functions.filter((one) => one.result === result);
    const target = fitting[this.#choices.below(Math.max(1, fitting.length))];
    if (target === undefined) return undefined;
    const list = target.parameters.map((type, index) =>
      // The counter of a recursion is small, or sometimes large enough to exceed the call depth.
      target.name.startsWith('r') && index === 0
        ? int(this.#choices.oneIn(12) ? 5000n : BigInt(this.#choices.below(12)))
        : this.expression(type, variables, Math.max(0, depth - 1)),
    );
    return call(use(target.name), ...list);
  }

  builtin(meaning: Intrinsic): BuiltinFunction | undefined {
    return this.#definition.functions.find((one) => one.meaning === meaning);
  }

  /** A call of a built-in function, if the definition has one with this meaning. */
  call(meaning: Intrinsic, ...list: Expression[]): Expression | undefined {
    const builtin = this.builtin(meaning);
    return builtin === undefined ? undefined : call(use(builtin.name), ...list);
  }

  /**
   * A binary operation, or its left operand if the definition has no operator with this meaning.
   */
  binary(meaning: BinaryMeaning, left: Expression, right: Expression): Expression {
    if (!this.#definition.operators.some((one) => one.meaning === meaning)) {
      return meaning === 'concatenate' ? this.binary('add', left, right) : left;
    }
    return { kind: 'BinaryExpression', operator: meaning, left, right, span, operatorSpan: span };
  }
}
