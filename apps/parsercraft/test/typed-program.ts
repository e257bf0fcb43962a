import fc from 'fast-check';
import type { LanguageDefinition } from '../src/lang/definition.ts';
import type { TypeName } from '../src/lang/vocabulary.ts';
import type {
  Expression,
  FunctionDeclaration,
  Program,
  Statement,
  TypeNode,
} from '../src/parse/ast.ts';
import { Choices } from './choices.ts';
import { block, call, int, name, program, span, use } from './tree.ts';
import { TYPES, TypedExpressions, type Variable } from './typed-expression.ts';

/**
 * Generates programs that type-check and terminate: loops have few iterations, and a function calls
 * only earlier functions, except for recursion with a counter. Runtime errors are possible.
 */
class TypedProgram {
  readonly #choices: Choices;
  readonly #definition: LanguageDefinition;
  readonly #make: TypedExpressions;
  #names = 0;
  #loops = 0;

  constructor(definition: LanguageDefinition, numbers: readonly number[]) {
    this.#definition = definition;
    this.#choices = new Choices(numbers);
    this.#make = new TypedExpressions(definition, this.#choices);
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
        value: this.#make.expression(result, parameters, 3),
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
    const base = this.#make.expression(result, variables, 2);
    const again = call(
      use(self),
      this.#make.binary('subtract', use(n.name), int(1n)),
      use(other.name),
    );
    const value = this.#make.binary('add', again, this.#make.expression(result, variables, 2));
    const statements: Statement[] = [
      {
        kind: 'IfStatement',
        branches: [
          {
            condition: this.#make.binary('lessOrEqual', use(n.name), int(0n)),
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
    this.#make.functions.push({
      name: functionName,
      parameters: parameters.map(({ type }) => type),
      result,
    });
    // Parameters and results are always annotated, because inference cannot resolve some shapes.
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
        const value = this.#make.expression(type, variables, 4);
        const variable = { name: this.#fresh('v'), type, fixed: false };
        variables.push(variable);
        const annotation = this.#choices.oneIn(3) ? this.#type(type) : undefined;
        return [{ kind: 'LetStatement', name: name(variable.name), annotation, value, span }];
      }
      case 3: {
        const free = variables.filter(({ fixed }) => !fixed);
        const target = free[this.#choices.below(Math.max(1, free.length))];
        if (target === undefined) return [this.#print(variables)];
        const value = this.#make.expression(target.type, variables, 4);
        return [{ kind: 'AssignStatement', target: name(target.name), value, span }];
      }
      case 4: {
        const made =
          this.#make.callOf(undefined, variables, 3) ?? this.#make.callOf('int', variables, 3);
        if (made !== undefined) return [{ kind: 'CallStatement', call: made, span }];
        return [this.#print(variables)];
      }
      case 5:
      case 6: {
        const branches = Array.from({ length: 1 + this.#choices.below(3) }, () => ({
          condition: this.#make.expression('bool', variables, 3),
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
          const condition = this.#make.expression('bool', variables, 2);
          const body = block({ kind, span });
          return [
            { kind: 'IfStatement', branches: [{ condition, body }], otherwise: undefined, span },
          ];
        }
        if (inFunction !== undefined) {
          const { result } = inFunction;
          const value =
            result === undefined ? undefined : this.#make.expression(result, variables, 3);
          const condition = this.#make.expression('bool', variables, 2);
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
    // The upper bound is the lower one plus a few, so that both are evaluated and the loop terminates.
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
    const more = this.#make.binary(
      'less',
      use(counter.name),
      int(BigInt(1 + this.#choices.below(4))),
    );
    const condition = this.#choices.oneIn(2)
      ? this.#make.binary('and', more, this.#make.expression('bool', variables, 2))
      : more;
    const next = this.#make.binary('add', use(counter.name), int(1n));
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
    const arity = this.#make.builtin('print')?.arity ?? { min: 1, max: 1 };
    const count = Math.min(arity.max, Math.max(arity.min, 1 + this.#choices.below(3)));
    const list = Array.from({ length: count }, () =>
      this.#make.expression(this.#choices.of(TYPES), variables, 4),
    );
    return { kind: 'CallStatement', call: this.#make.call('print', ...list) as Expression, span };
  }
}

/** Arbitrary well-typed programs that terminate. */
export function typedPrograms(definition: LanguageDefinition): fc.Arbitrary<Program> {
  return fc
    .array(fc.noBias(fc.nat(9999)), { minLength: 400, maxLength: 1500, size: 'max' })
    .map((numbers) => new TypedProgram(definition, numbers).make());
}
