import type { Block, Expression, Parameter, Program, TopLevel, TypeNode } from './ast.ts';

/** Any node of the tree except names and branches. */
export type AnyNode = Program | TopLevel | Block | Parameter | TypeNode | Expression;

/** The direct children of a node, in source order. */
export function children(node: AnyNode): readonly AnyNode[] {
  switch (node.kind) {
    case 'Program':
      return node.body;
    case 'Block':
      return node.statements;
    case 'FunctionDeclaration':
    case 'FunctionExpression':
      return [...node.parameters, ...optional(node.result), node.body];
    case 'Parameter':
      return optional(node.annotation);
    case 'LetStatement':
      return [...optional(node.annotation), node.value];
    case 'AssignStatement':
      return [node.value];
    case 'CallStatement':
      return [node.call];
    case 'IfStatement':
      return [
        ...node.branches.flatMap(({ condition, body }) => [condition, body]),
        ...optional(node.otherwise),
      ];
    case 'WhileStatement':
      return [node.condition, node.body];
    case 'ForStatement':
      return [node.from, node.to, node.body];
    case 'ReturnStatement':
      return optional(node.value);
    case 'PrefixExpression':
      return [node.operand];
    case 'BinaryExpression':
      return [node.left, node.right];
    case 'CallExpression':
      return [node.callee, ...node.arguments];
    case 'FunctionTypeNode':
      return [...node.parameters, ...optional(node.result)];
    default:
      return [];
  }
}

function optional<T>(node: T | undefined): readonly T[] {
  return node === undefined ? [] : [node];
}
