import type { Block, Expression, FunctionExpression, Parameter, TypeNode } from './ast.ts';
import { GrammarActions, type Rule } from './grammar-actions.ts';
import { decodeFloat, decodeInt, decodeString } from './literals.ts';
import {
  type PlacedBinary,
  type PlacedOperand,
  type PlacedPrefix,
  resolvePrecedence,
} from './precedence.ts';

/**
 * The grammar rules for types and expressions. An expression is parsed as a flat list of operands
 * and operators, so recursion happens only at brackets, which `depth.ts` limits beforehand.
 */
export abstract class ExpressionGrammar extends GrammarActions {
  protected abstract readonly block: Rule<Block>;

  protected readonly expression: Rule<Expression> = this.RULE(
    'expression',
    (): Expression => {
      const rest: { operator: PlacedBinary; operand: PlacedOperand }[] = [];
      const first = this.SUBRULE(this.operand);
      this.MANY(() => {
        const token = this.CONSUME(this.v.binary);
        const operand = this.SUBRULE2(this.operand);
        this.ACTION(() => {
          const operator = this.v.binaryOf.get(token.tokenType);
          if (operator === undefined) return;
          rest.push({ operator: { operator, span: this.tokenSpan(token) }, operand });
        });
      });
      return this.ACTION(() =>
        resolvePrecedence(first, rest, ({ operator, span }) => {
          const message = `'${operator.symbol}' cannot be chained; use parentheses`;
          this.faults.push({ code: 'chained-operator', message, span });
        }),
      );
    },
    { recoveryValueFunc: (): Expression => ({ kind: 'ErrorExpression', span: this.spanHere() }) },
  );

  protected readonly operand: Rule<PlacedOperand> = this.RULE(
    'operand',
    (): PlacedOperand => {
      const prefixes: PlacedPrefix[] = [];
      this.MANY(() => {
        const token = this.CONSUME(this.v.prefix);
        this.ACTION(() => {
          const operator = this.v.prefixOf.get(token.tokenType);
          if (operator !== undefined) prefixes.push({ operator, span: this.tokenSpan(token) });
        });
      });
      const start = this.startOffset();
      let expression = this.SUBRULE(this.primary);
      this.MANY2(() => {
        const list = this.SUBRULE(this.argumentList);
        const span = this.spanFrom(start);
        expression = { kind: 'CallExpression', callee: expression, arguments: list, span };
      });
      return { prefixes, expression };
    },
    {
      recoveryValueFunc: (): PlacedOperand => ({
        prefixes: [],
        expression: { kind: 'ErrorExpression', span: this.spanHere() },
      }),
    },
  );

  protected readonly primary: Rule<Expression> = this.RULE(
    'primary',
    (): Expression => {
      const start = this.startOffset();
      return this.OR([
        {
          ALT: (): Expression => {
            const value = this.decoded(this.CONSUME(this.v.int), decodeInt);
            return { kind: 'IntLiteral', value, span: this.spanFrom(start) };
          },
        },
        {
          ALT: (): Expression => {
            const value = this.decoded(this.CONSUME(this.v.float), decodeFloat);
            return { kind: 'FloatLiteral', value, span: this.spanFrom(start) };
          },
        },
        {
          ALT: (): Expression => {
            const token = this.CONSUME(this.v.string);
            const closed = token.tokenType !== this.v.unterminatedString;
            const value = this.decoded(token, (image) => decodeString(image, closed));
            return { kind: 'StringLiteral', value, span: this.spanFrom(start) };
          },
        },
        {
          ALT: (): Expression => {
            this.CONSUME(this.v.keyword.true);
            return { kind: 'BoolLiteral', value: true, span: this.spanFrom(start) };
          },
        },
        {
          ALT: (): Expression => {
            this.CONSUME(this.v.keyword.false);
            return { kind: 'BoolLiteral', value: false, span: this.spanFrom(start) };
          },
        },
        {
          ALT: (): Expression => {
            const name = this.nameOf(this.CONSUME(this.v.identifier));
            const member = this.OPTION(() => {
              this.CONSUME(this.v.dot);
              return this.nameOf(this.CONSUME2(this.v.identifier));
            });
            const span = this.spanFrom(start);
            if (member === undefined) return { kind: 'NameExpression', name, span };
            return { kind: 'MemberExpression', module: name, member, span };
          },
        },
        {
          ALT: (): Expression => {
            this.CONSUME(this.v.parenOpen);
            const inner = this.SUBRULE(this.expression);
            this.CONSUME(this.v.parenClose);
            return { ...inner, span: this.spanFrom(start) };
          },
        },
        { ALT: (): Expression => this.SUBRULE(this.functionExpression) },
      ]);
    },
    { recoveryValueFunc: (): Expression => ({ kind: 'ErrorExpression', span: this.spanHere() }) },
  );

  protected readonly argumentList: Rule<readonly Expression[]> = this.RULE(
    'argumentList',
    (): readonly Expression[] => {
      const list: Expression[] = [];
      this.CONSUME(this.v.parenOpen);
      this.MANY_SEP({
        SEP: this.v.comma,
        DEF: () => list.push(this.SUBRULE(this.expression)),
      });
      this.CONSUME(this.v.parenClose);
      return list;
    },
    { recoveryValueFunc: (): readonly Expression[] => [] },
  );

  protected readonly functionExpression: Rule<FunctionExpression> = this.RULE(
    'functionExpression',
    (): FunctionExpression => {
      const start = this.startOffset();
      this.CONSUME(this.v.keyword.function);
      const parameters = this.SUBRULE(this.parameters);
      const result = this.OPTION(() => this.SUBRULE(this.annotation));
      const body = this.SUBRULE(this.block);
      return { kind: 'FunctionExpression', parameters, result, body, span: this.spanFrom(start) };
    },
    {
      recoveryValueFunc: (): FunctionExpression => {
        const span = this.spanHere();
        const body: Block = { kind: 'Block', statements: [], span };
        return { kind: 'FunctionExpression', parameters: [], result: undefined, body, span };
      },
    },
  );

  protected readonly parameters: Rule<readonly Parameter[]> = this.RULE(
    'parameters',
    (): readonly Parameter[] => {
      const parameters: Parameter[] = [];
      this.CONSUME(this.v.parenOpen);
      this.MANY_SEP({
        SEP: this.v.comma,
        DEF: () => {
          const start = this.startOffset();
          const name = this.nameOf(this.CONSUME(this.v.identifier));
          const annotation = this.OPTION(() => this.SUBRULE(this.annotation));
          parameters.push({ kind: 'Parameter', name, annotation, span: this.spanFrom(start) });
        },
      });
      this.CONSUME(this.v.parenClose);
      return parameters;
    },
    { recoveryValueFunc: (): readonly Parameter[] => [] },
  );

  protected readonly annotation: Rule<TypeNode | undefined> = this.RULE(
    'annotation',
    (): TypeNode | undefined => {
      this.CONSUME(this.v.colon);
      return this.SUBRULE(this.typeNode);
    },
    { recoveryValueFunc: (): TypeNode | undefined => undefined },
  );

  protected readonly typeNode: Rule<TypeNode> = this.RULE(
    'typeNode',
    (): TypeNode =>
      this.OR([
        {
          ALT: (): TypeNode => {
            const { text, span } = this.nameOf(this.CONSUME(this.v.identifier));
            return { kind: 'NamedType', type: this.typeNames.get(text), text, span };
          },
        },
        {
          ALT: (): TypeNode => {
            const start = this.startOffset();
            const parameters: TypeNode[] = [];
            this.CONSUME(this.v.keyword.function);
            this.CONSUME(this.v.parenOpen);
            this.MANY_SEP({
              SEP: this.v.comma,
              DEF: () => parameters.push(this.SUBRULE(this.typeNode)),
            });
            this.CONSUME(this.v.parenClose);
            const result = this.OPTION(() => this.SUBRULE(this.annotation));
            return { kind: 'FunctionTypeNode', parameters, result, span: this.spanFrom(start) };
          },
        },
      ]),
    {
      recoveryValueFunc: (): TypeNode => ({
        kind: 'NamedType',
        type: undefined,
        text: '',
        span: this.spanHere(),
      }),
    },
  );
}
