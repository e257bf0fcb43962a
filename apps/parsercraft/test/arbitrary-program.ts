import fc from 'fast-check';
import type { LanguageDefinition } from '../src/lang/definition.ts';
import type {
  Block,
  Expression,
  Name,
  Parameter,
  Program,
  Statement,
  TopLevel,
  TypeNode,
} from '../src/parse/ast.ts';
import { vocabularyOf } from '../src/parse/parse.ts';
import { span } from './tree.ts';

/** Arbitrary syntactically valid programs, regardless of types: any node in any position. */
export function arbitraryPrograms(definition: LanguageDefinition): fc.Arbitrary<Program> {
  const { words } = vocabularyOf(definition);
  const word = fc
    .oneof(
      fc.stringMatching(/^[a-z_][a-zA-Z0-9_]{0,4}$/),
      fc.constantFrom('ñ', 'é1', '变量', 'x', 'y'),
    )
    .filter((text) => !words.has(text));
  const name: fc.Arbitrary<Name> = word.map((text) => ({ kind: 'Name', text, span }));
  const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined });
  const binary = definition.operators.filter((one) => one.kind === 'binary');
  const prefix = definition.operators.filter((one) => one.kind === 'prefix');
  const float = fc
    .double({ noNaN: true, noDefaultInfinity: true, min: 0 })
    .map((value) => Math.abs(value));
  const text = fc
    .array(
      fc.oneof(
        fc.constantFrom('"', '\\', '\n', '\r', '\t', '\u2028', '😀'),
        fc.string({ unit: 'binary', maxLength: 3 }),
      ),
      { maxLength: 5 },
    )
    .map((parts) => parts.join(''));

  const { program } = fc.letrec<{
    type: TypeNode;
    parameter: Parameter;
    leaf: Expression;
    expression: Expression;
    callee: Expression;
    block: Block;
    statement: Statement;
    topLevel: TopLevel;
    program: Program;
  }>((tie) => ({
    type: fc.oneof(
      { maxDepth: 2, depthSize: 'small' },
      fc
        .constantFrom('int', 'float', 'bool', 'string')
        .map((type) => ({ kind: 'NamedType', type, text: definition.types[type], span }) as const),
      fc.record({
        kind: fc.constant('FunctionTypeNode' as const),
        parameters: fc.array(tie('type'), { maxLength: 2 }),
        result: maybe(tie('type')),
        span: fc.constant(span),
      }),
    ),
    parameter: fc.record({
      kind: fc.constant('Parameter' as const),
      name,
      annotation: maybe(tie('type')),
      span: fc.constant(span),
    }),
    leaf: fc.oneof(
      fc
        .bigInt({ min: 0n, max: 2n ** 63n - 1n })
        .map((value) => ({ kind: 'IntLiteral', value, span }) as const),
      float.map((value) => ({ kind: 'FloatLiteral', value, span }) as const),
      fc.boolean().map((value) => ({ kind: 'BoolLiteral', value, span }) as const),
      text
        .map((value) => value.toWellFormed().replaceAll('\0', ''))
        .map((value) => ({ kind: 'StringLiteral', value, span }) as const),
      name.map((one) => ({ kind: 'NameExpression', name: one, span }) as const),
      fc
        .tuple(name, name)
        .map(([module, member]) => ({ kind: 'MemberExpression', module, member, span }) as const),
    ),
    expression: fc.oneof(
      { maxDepth: 5, depthSize: 'small', withCrossShrink: true },
      tie('leaf'),
      fc.record({
        kind: fc.constant('PrefixExpression' as const),
        operator: fc.constantFrom(...prefix.map(({ meaning }) => meaning)),
        operand: tie('expression'),
        span: fc.constant(span),
      }) as fc.Arbitrary<Expression>,
      fc.record({
        kind: fc.constant('BinaryExpression' as const),
        operator: fc.constantFrom(...binary.map(({ meaning }) => meaning)),
        left: tie('expression'),
        right: tie('expression'),
        span: fc.constant(span),
        operatorSpan: fc.constant(span),
      }) as fc.Arbitrary<Expression>,
      fc.record({
        kind: fc.constant('CallExpression' as const),
        callee: tie('expression'),
        arguments: fc.array(tie('expression'), { maxLength: 3 }),
        span: fc.constant(span),
      }),
      fc.record({
        kind: fc.constant('FunctionExpression' as const),
        parameters: fc.array(tie('parameter'), { maxLength: 2 }),
        result: maybe(tie('type')),
        body: tie('block'),
        span: fc.constant(span),
      }),
    ),
    // A call statement starts with a name, so it is a chain of calls on one.
    callee: fc
      .tuple(
        fc.oneof(
          name.map((one): Expression => ({ kind: 'NameExpression', name: one, span })),
          fc.tuple(name, name).map(
            ([module, member]): Expression => ({
              kind: 'MemberExpression',
              module,
              member,
              span,
            }),
          ),
        ),
        fc.array(fc.array(tie('expression'), { maxLength: 2 }), { minLength: 1, maxLength: 3 }),
      )
      .map(([root, calls]) =>
        calls.reduce<Expression>(
          (callee, list) => ({ kind: 'CallExpression', callee, arguments: list, span }),
          root,
        ),
      ),
    block: fc
      .array(tie('statement'), { maxLength: 3, depthIdentifier: 'block' })
      .map((statements) => ({
        kind: 'Block' as const,
        statements,
        span,
      })),
    statement: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      fc.constantFrom<Statement>(
        { kind: 'BreakStatement', span },
        { kind: 'ContinueStatement', span },
      ),
      fc.record({
        kind: fc.constant('LetStatement' as const),
        name,
        annotation: maybe(tie('type')),
        value: tie('expression'),
        span: fc.constant(span),
      }),
      fc.record({
        kind: fc.constant('AssignStatement' as const),
        target: name,
        value: tie('expression'),
        span: fc.constant(span),
      }),
      fc.record({
        kind: fc.constant('CallStatement' as const),
        call: tie('callee'),
        span: fc.constant(span),
      }),
      fc.record({
        kind: fc.constant('ReturnStatement' as const),
        value: maybe(tie('expression')),
        span: fc.constant(span),
      }),
      fc.record({
        kind: fc.constant('IfStatement' as const),
        branches: fc.array(fc.record({ condition: tie('expression'), body: tie('block') }), {
          minLength: 1,
          maxLength: 3,
        }),
        otherwise: maybe(tie('block')),
        span: fc.constant(span),
      }),
      fc.record({
        kind: fc.constant('WhileStatement' as const),
        condition: tie('expression'),
        body: tie('block'),
        span: fc.constant(span),
      }),
      fc.record({
        kind: fc.constant('ForStatement' as const),
        variable: name,
        from: tie('expression'),
        to: tie('expression'),
        body: tie('block'),
        span: fc.constant(span),
      }),
    ),
    topLevel: fc.oneof(
      { weight: 4, arbitrary: tie('statement') },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('UseDeclaration' as const),
          packageName: fc.oneof(
            fc.array(word, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('.')),
            fc.constantFrom('odd-name', 'if', 'a.while', ''),
          ),
          packageSpan: fc.constant(span),
          alias: maybe(name),
          span: fc.constant(span),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant('FunctionDeclaration' as const),
          name,
          parameters: fc.array(tie('parameter'), { maxLength: 3 }),
          result: maybe(tie('type')),
          body: tie('block'),
          span: fc.constant(span),
        }),
      },
    ),
    program: fc
      .array(tie('topLevel'), { maxLength: 6 })
      .map((body) => ({ kind: 'Program' as const, body, span })),
  }));
  return program;
}
