import type { IToken } from 'chevrotain';
import type { Span } from '../source/source.ts';
import type { Program } from './ast.ts';
import { type AnyNode, children } from './children.ts';
import type { Vocabulary } from './vocabulary.ts';

/**
 * The first bracket or block nested deeper than `max`. The parser recurses only on these, so
 * limiting them prevents a stack overflow.
 */
export function deepBracket(
  tokens: readonly IToken[],
  vocabulary: Vocabulary,
  max: number,
): IToken | undefined {
  let depth = 0;
  for (const token of tokens) {
    const type = token.tokenType;
    if (type === vocabulary.parenOpen || type === vocabulary.blockOpen) {
      depth += 1;
      if (depth > max) return token;
    } else if (type === vocabulary.parenClose || type === vocabulary.blockClose) {
      depth = Math.max(0, depth - 1);
    }
  }
  return undefined;
}

/**
 * Finds a place where the tree is deeper than `max`. Long operator and call chains nest without
 * brackets, and everything after the parser recurses on the tree, so its depth must be limited.
 */
export function deepNode(program: Program, max: number): Span | undefined {
  const waiting: { readonly node: AnyNode; readonly depth: number }[] = [
    { node: program, depth: 0 },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (next.depth > max) return next.node.span;
    for (const child of children(next.node)) waiting.push({ node: child, depth: next.depth + 1 });
  }
  return undefined;
}
