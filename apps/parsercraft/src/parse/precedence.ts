import type { BinaryOperator, PrefixOperator } from '../lang/definition.ts';
import type { Span } from '../source/source.ts';
import type { BinaryExpression, Expression } from './ast.ts';

/** An operator with its span. */
export interface PlacedPrefix {
  readonly operator: PrefixOperator;
  readonly span: Span;
}
export interface PlacedBinary {
  readonly operator: BinaryOperator;
  readonly span: Span;
}

/** An operand with its prefix operators, outermost first. */
export interface PlacedOperand {
  readonly prefixes: readonly PlacedPrefix[];
  readonly expression: Expression;
}

/**
 * Builds a tree from `operand (operator operand)*` by the precedences of the definition: the
 * shunting-yard algorithm (E. W. Dijkstra, MR 34/61, 1961). It is iterative, so the length of a
 * chain is not limited by the stack.
 *
 * The operand of a prefix operator includes the binary operators of higher precedence after it.
 *
 * @param chained - called for each chained operator that is not associative
 */
export function resolvePrecedence(
  first: PlacedOperand,
  rest: readonly { readonly operator: PlacedBinary; readonly operand: PlacedOperand }[],
  chained: (operator: PlacedBinary) => void,
): Expression {
  const values: Expression[] = [];
  const waiting: (PlacedPrefix | PlacedBinary)[] = [];

  const reduce = (): void => {
    const top = waiting.pop() as PlacedPrefix | PlacedBinary;
    const right = values.pop() as Expression;
    if (isPrefix(top)) {
      const span = { start: top.span.start, end: right.span.end };
      values.push({
        kind: 'PrefixExpression',
        operator: top.operator.meaning,
        operand: right,
        span,
      });
      return;
    }
    const left = values.pop() as Expression;
    values.push(binary(left, top, right));
  };
  const operand = ({ prefixes, expression }: PlacedOperand): void => {
    waiting.push(...prefixes);
    values.push(expression);
  };

  operand(first);
  for (const step of rest) {
    const { precedence, associativity } = step.operator.operator;
    for (let top = waiting.at(-1); top !== undefined; top = waiting.at(-1)) {
      const equal = top.operator.precedence === precedence;
      if (equal && !isPrefix(top) && associativity === 'none') chained(step.operator);
      const rightwards = equal && !isPrefix(top) && associativity === 'right';
      if (top.operator.precedence < precedence || rightwards) break;
      reduce();
    }
    waiting.push(step.operator);
    operand(step.operand);
  }
  while (waiting.length > 0) reduce();
  return values[0] as Expression;
}

function binary(left: Expression, placed: PlacedBinary, right: Expression): BinaryExpression {
  return {
    kind: 'BinaryExpression',
    operator: placed.operator.meaning,
    left,
    right,
    span: { start: left.span.start, end: right.span.end },
    operatorSpan: placed.span,
  };
}

function isPrefix(placed: PlacedPrefix | PlacedBinary): placed is PlacedPrefix {
  return placed.operator.kind === 'prefix';
}
