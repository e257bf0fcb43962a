import type { Block, Expression, Name, Program, Statement, TopLevel } from '../src/parse/ast.ts';

/** The span of generated trees. */
export const span = { start: 0, end: 0 };

export const name = (text: string): Name => ({ kind: 'Name', text, span });
export const block = (...statements: Statement[]): Block => ({ kind: 'Block', statements, span });
export const program = (...body: TopLevel[]): Program => ({ kind: 'Program', body, span });
export const use = (variable: string): Expression => ({
  kind: 'NameExpression',
  name: name(variable),
  span,
});
export const call = (callee: Expression, ...list: Expression[]): Expression => ({
  kind: 'CallExpression',
  callee,
  arguments: list,
  span,
});
export const int = (value: bigint): Expression => ({ kind: 'IntLiteral', value, span });

/** Copies a tree without spans, to compare trees of different texts. */
export function withoutSpans(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSpans);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value)
    .filter(([key]) => !key.toLowerCase().endsWith('span'))
    .map(([key, inner]) => [key, withoutSpans(inner)]);
  return Object.fromEntries(entries);
}
