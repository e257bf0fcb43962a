import fc from 'fast-check';
import type { LanguageDefinition } from '../src/lang/definition.ts';
import type { BinaryMeaning, Intrinsic, TypeName } from '../src/lang/vocabulary.ts';
import type {
  Expression,
  FunctionDeclaration,
  Program,
  Statement,
  TypeNode,
} from '../src/parse/ast.ts';
import { Choices } from './choices.ts';
import { block, call, int, name, program, span, use } from './tree.ts';

const TYPES = ['int', 'string', 'float', 'bool'] as const;
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

interface Variable {
  readonly name: string;
  readonly type: TypeName;
  readonly fixed: boolean;
}
interface KnownFunction {
  readonly name: string;
  readonly parameters: readonly TypeName[];
  readonly result: TypeName | undefined;
}

/**
 * Makes programs that type-check and end: loops count to a few, and a function calls only those
 * before it, but for one shape of recursion with a counter. They may well meet faults.
 */
class TypedProgram {
  readonly #choices: Choices;
  readonly #definition: LanguageDefinition;
  readonly #functions: KnownFunction[] = [];
  #names = 0;
  #loops = 0;

  constructor(definition: LanguageDefinition, numbers: readonly number[]) {
    this.#definition = definition;
    this.#choices = new Choices(numbers);
  }

  make(): Program {
    const body: (FunctionDeclaration | Statement)[] = [];
    const count = this.#choices.below(4);
    for (let i = 0; i < count; i += 1) {
      body.push(this.#choices.oneIn(3) ? this.#recursive() : this.#function());
    }
    body.push(...this.#statements([], 12, undefined, 0));
    return program(...body);
  }

  #fresh(prefix: string): string {
    this.#names += 1;
    return `${prefix}${this.#names}`;
  }

  #function(): FunctionDeclaration {
    const parameters = Array.from({ length: this.#choices.below(3) }, () => ({
      name: this.#fresh('p'),
      type: this.#choices.of(TYPES),
      fixed: false,
    }));
    const result = this.#choices.oneIn(4) ? undefined : this.#choices.of(TYPES);
    const statements = this.#statements(parameters, 4, { result }, 1);
    if (result !== undefined) {
      statements.push({
        kind: 'ReturnStatement',
        value: this.#expression(result, parameters, 3),
        span,
      });
    }
    return this.#declare(parameters, result, statements);
  }

  /** `fn r(n, …) { if n <= 0 { return base } return r(n - 1, …) op … }` */
  #recursive(): FunctionDeclaration {
    const n = { name: this.#fresh('n'), type: 'int' as const, fixed: true };
    const other = { name: this.#fresh('p'), type: this.#choices.of(TYPES), fixed: true };
    const result = this.#choices.of(['int', 'string', 'float'] as const);
    const self = this.#fresh('r');
    const variables = [n, other];
    const base = this.#expression(result, variables, 2);
    const again = call(use(self), this.#binary('subtract', use(n.name), int(1n)), use(other.name));
    const value = this.#binary('add', again, this.#expression(result, variables, 2));
    const statements: Statement[] = [
      {
        kind: 'IfStatement',
        branches: [
          {
            condition: this.#binary('lessOrEqual', use(n.name), int(0n)),
            body: block({ kind: 'ReturnStatement', value: base, span }),
          },
        ],
        otherwise: undefined,
        span,
      },
      { kind: 'ReturnStatement', value, span },
    ];
    return this.#declare([n, other], result, statements, self);
  }

  #declare(
    parameters: readonly Variable[],
    result: TypeName | undefined,
    statements: readonly Statement[],
    known?: string,
  ): FunctionDeclaration {
    const functionName = known ?? this.#fresh('f');
    this.#functions.push({
      name: functionName,
      parameters: parameters.map(({ type }) => type),
      result,
    });
    // A result is written down always, a parameter too: some shapes would leave it open.
    return {
      kind: 'FunctionDeclaration',
      name: name(functionName),
      parameters: parameters.map((one) => ({
        kind: 'Parameter',
        name: name(one.name),
        annotation: this.#type(one.type),
        span,
      })),
      result: result === undefined ? undefined : this.#type(result),
      body: block(...statements),
      span,
    };
  }

  #type(type: TypeName): TypeNode {
    return { kind: 'NamedType', type, text: this.#definition.types[type], span };
  }

  #statements(
    outside: readonly Variable[],
    max: number,
    inFunction: { readonly result: TypeName | undefined } | undefined,
    depth: number,
    inLoop = false,
  ): Statement[] {
    const variables = [...outside];
    const statements: Statement[] = [];
    const count = 1 + this.#choices.below(max);
    for (let i = 0; i < count && (i === 0 || !this.#choices.usedUp); i += 1) {
      statements.push(...this.#statement(variables, inFunction, depth, inLoop));
    }
    return statements;
  }

  #statement(
    variables: Variable[],
    inFunction: { readonly result: TypeName | undefined } | undefined,
    depth: number,
    inLoop: boolean,
  ): Statement[] {
    const inside = (loop: boolean, more: readonly Variable[] = []) =>
      this.#statements([...variables, ...more], 3, inFunction, depth + 1, loop);
    switch (this.#choices.below(depth > 3 ? 5 : 10)) {
      case 0:
        return [this.#print(variables)];
      case 1:
      case 2: {
        const type = this.#choices.of(TYPES);
        const value = this.#expression(type, variables, 4);
        const variable = { name: this.#fresh('v'), type, fixed: false };
        variables.push(variable);
        const annotation = this.#choices.oneIn(3) ? this.#type(type) : undefined;
        return [{ kind: 'LetStatement', name: name(variable.name), annotation, value, span }];
      }
      case 3: {
        const free = variables.filter(({ fixed }) => !fixed);
        const target = free[this.#choices.below(Math.max(1, free.length))];
        if (target === undefined) return [this.#print(variables)];
        const value = this.#expression(target.type, variables, 4);
        return [{ kind: 'AssignStatement', target: name(target.name), value, span }];
      }
      case 4: {
        const made = this.#callOf(undefined, variables, 3) ?? this.#callOf('int', variables, 3);
        if (made !== undefined) return [{ kind: 'CallStatement', call: made, span }];
        return [this.#print(variables)];
      }
      case 5:
      case 6: {
        const branches = Array.from({ length: 1 + this.#choices.below(3) }, () => ({
          condition: this.#expression('bool', variables, 3),
          body: block(...inside(inLoop)),
        }));
        const otherwise = this.#choices.oneIn(2) ? block(...inside(inLoop)) : undefined;
        return [{ kind: 'IfStatement', branches, otherwise, span }];
      }
      case 7:
        return this.#loops++ > 6 ? [this.#print(variables)] : this.#counted(variables, inside);
      case 8:
        return this.#loops++ > 6 ? [this.#print(variables)] : this.#while(variables, inside);
      default:
        if (inLoop) {
          const kind = this.#choices.of(['BreakStatement', 'ContinueStatement'] as const);
          const condition = this.#expression('bool', variables, 2);
          const body = block({ kind, span });
          return [
            { kind: 'IfStatement', branches: [{ condition, body }], otherwise: undefined, span },
          ];
        }
        if (inFunction !== undefined) {
          const { result } = inFunction;
          const value = result === undefined ? undefined : this.#expression(result, variables, 3);
          const condition = this.#expression('bool', variables, 2);
          const body = block({ kind: 'ReturnStatement', value, span });
          return [
            { kind: 'IfStatement', branches: [{ condition, body }], otherwise: undefined, span },
          ];
        }
        return [this.#print(variables)];
    }
  }

  #counted(
    variables: readonly Variable[],
    inside: (loop: boolean, more: readonly Variable[]) => Statement[],
  ): Statement[] {
    const variable = { name: this.#fresh('i'), type: 'int' as const, fixed: true };
    // From an expression to a few more, so that the ends are evaluated and the loop still ends.
    const high = this.#choices.oneIn(8);
    const from = high ? int(9_223_372_036_854_775_805n) : int(BigInt(this.#choices.below(3)));
    const to = high ? int(9_223_372_036_854_775_807n) : int(BigInt(this.#choices.below(5)));
    const body = block(...inside(true, [variable]));
    return [
      { kind: 'ForStatement', variable: name(variable.name), from, to, body, span },
      this.#print(variables),
    ];
  }

  #while(
    variables: Variable[],
    inside: (loop: boolean, more: readonly Variable[]) => Statement[],
  ): Statement[] {
    const counter = { name: this.#fresh('k'), type: 'int' as const, fixed: true };
    const more = this.#binary('less', use(counter.name), int(BigInt(1 + this.#choices.below(4))));
    const condition = this.#choices.oneIn(2)
      ? this.#binary('and', more, this.#expression('bool', variables, 2))
      : more;
    const next = this.#binary('add', use(counter.name), int(1n));
    const body = block(
      { kind: 'AssignStatement', target: name(counter.name), value: next, span },
      ...inside(true, [counter]),
    );
    variables.push(counter);
    return [
      {
        kind: 'LetStatement',
        name: name(counter.name),
        annotation: undefined,
        value: int(0n),
        span,
      },
      { kind: 'WhileStatement', condition, body, span },
    ];
  }

  #print(variables: readonly Variable[]): Statement {
    const arity = this.#builtin('print')?.arity ?? { min: 1, max: 1 };
    const count = Math.min(arity.max, Math.max(arity.min, 1 + this.#choices.below(3)));
    const list = Array.from({ length: count }, () =>
      this.#expression(this.#choices.of(TYPES), variables, 4),
    );
    return { kind: 'CallStatement', call: this.#call('print', ...list) as Expression, span };
  }

  #expression(type: TypeName, variables: readonly Variable[], depth: number): Expression {
    const known = variables.filter((one) => one.type === type);
    const variable = known[this.#choices.below(Math.max(1, known.length))];
    if (depth === 0 || this.#choices.usedUp || this.#choices.oneIn(4)) {
      return variable !== undefined && !this.#choices.oneIn(3)
        ? use(variable.name)
        : this.#literal(type);
    }
    if (this.#choices.oneIn(6)) {
      const made = this.#callOf(type, variables, depth - 1);
      if (made !== undefined) return made;
    }
    const sub = (of: TypeName) => this.#expression(of, variables, depth - 1);
    const made = this.#operation(type, sub);
    return made ?? this.#literal(type);
  }

  #operation(type: TypeName, sub: (type: TypeName) => Expression): Expression | undefined {
    const small = () => int(BigInt(this.#choices.below(9)));
    switch (type) {
      case 'int':
        switch (this.#choices.below(9)) {
          case 0:
            return this.#call('int', sub(this.#choices.of(['float', 'int'] as const)));
          case 1:
            return this.#call('length', sub('string'));
          case 2:
            return this.#call('abs', sub('int'));
          case 3:
            return this.#call(this.#choices.of(['min', 'max'] as const), sub('int'), sub('int'));
          case 4:
            return this.#call('floor', sub('float'));
          case 5:
            return { kind: 'PrefixExpression', operator: 'negate', operand: sub('int'), span };
          case 6:
            return this.#binary('power', sub('int'), this.#choices.oneIn(6) ? sub('int') : small());
          default: {
            const meanings = ['add', 'subtract', 'multiply', 'divide', 'remainder'] as const;
            return this.#binary(this.#choices.of(meanings), sub('int'), sub('int'));
          }
        }
      case 'float':
        switch (this.#choices.below(6)) {
          case 0:
            return this.#call('float', sub(this.#choices.of(['int', 'float'] as const)));
          case 1:
            return this.#call(
              this.#choices.of(['min', 'max'] as const),
              sub('float'),
              sub('float'),
            );
          case 2:
            return this.#choices.oneIn(2)
              ? this.#call('abs', sub('float'))
              : { kind: 'PrefixExpression', operator: 'negate', operand: sub('float'), span };
          case 3:
            return this.#binary(
              'power',
              sub('float'),
              this.#choices.oneIn(4) ? sub('int') : small(),
            );
          default: {
            const meanings = ['add', 'subtract', 'multiply', 'divide'] as const;
            return this.#binary(this.#choices.of(meanings), sub('float'), sub('float'));
          }
        }
      case 'string':
        switch (this.#choices.below(4)) {
          case 0:
            return this.#call('string', sub(this.#choices.of(TYPES)));
          case 1:
            return this.#call(
              'substring',
              sub('string'),
              this.#choices.oneIn(3) ? sub('int') : small(),
              small(),
            );
          default:
            return this.#binary(
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
            return this.#binary(this.#choices.of(['and', 'or'] as const), sub('bool'), sub('bool'));
          case 2:
            return this.#binary(
              this.#choices.of(['equal', 'notEqual'] as const),
              sub(compared),
              sub(compared),
            );
          default: {
            const ordered = compared === 'bool' ? 'string' : compared;
            const meanings = ['less', 'lessOrEqual', 'greater', 'greaterOrEqual'] as const;
            return this.#binary(this.#choices.of(meanings), sub(ordered), sub(ordered));
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

  /** A call of a function made before that gives `result`. */
  #callOf(
    result: TypeName | undefined,
    variables: readonly Variable[],
    depth: number,
  ): Expression | undefined {
    const fitting = this.#functions.filter((one) => one.result === result);
    const target = fitting[this.#choices.below(Math.max(1, fitting.length))];
    if (target === undefined) return undefined;
    const list = target.parameters.map((type, index) =>
      // The counter of a recursion is a small number, or now and then one that is too deep.
      target.name.startsWith('r') && index === 0
        ? int(this.#choices.oneIn(12) ? 5000n : BigInt(this.#choices.below(12)))
        : this.#expression(type, variables, Math.max(0, depth - 1)),
    );
    return call(use(target.name), ...list);
  }

  #builtin(meaning: Intrinsic) {
    return this.#definition.functions.find((one) => one.meaning === meaning);
  }

  /** A call of a built-in function, if the definition has one of that meaning. */
  #call(meaning: Intrinsic, ...list: Expression[]): Expression | undefined {
    const builtin = this.#builtin(meaning);
    return builtin === undefined ? undefined : call(use(builtin.name), ...list);
  }

  /** An operation, or its left side if the definition has no operator of that meaning. */
  #binary(meaning: BinaryMeaning, left: Expression, right: Expression): Expression {
    if (!this.#definition.operators.some((one) => one.meaning === meaning)) {
      return meaning === 'concatenate' ? this.#binary('add', left, right) : left;
    }
    return { kind: 'BinaryExpression', operator: meaning, left, right, span, operatorSpan: span };
  }
}

/** Well-typed programs that end. */
export function typedPrograms(definition: LanguageDefinition): fc.Arbitrary<Program> {
  return fc
    .array(fc.noBias(fc.nat(9999)), { minLength: 400, maxLength: 1500, size: 'max' })
    .map((numbers) => new TypedProgram(definition, numbers).make());
}
