import type { Block, Statement } from '../parse/ast.ts';

/**
 * Whether every code path of a block ends in a `return`. The body of a loop may not run, so it does
 * not count.
 */
export function alwaysReturns(block: Block): boolean {
  return block.statements.some((statement) => {
    if (statement.kind === 'ReturnStatement') return true;
    if (statement.kind !== 'IfStatement' || statement.otherwise === undefined) return false;
    return (
      statement.branches.every(({ body }) => alwaysReturns(body)) &&
      alwaysReturns(statement.otherwise)
    );
  });
}

/** Whether a body contains a `return` with a value, outside nested function expressions. */
export function returnsValue(block: Block): boolean {
  return block.statements.some(returnsValueStatement);
}

function returnsValueStatement(statement: Statement): boolean {
  switch (statement.kind) {
    case 'ReturnStatement':
      return statement.value !== undefined;
    case 'IfStatement':
      return (
        statement.branches.some(({ body }) => returnsValue(body)) ||
        (statement.otherwise !== undefined && returnsValue(statement.otherwise))
      );
    case 'WhileStatement':
    case 'ForStatement':
      return returnsValue(statement.body);
    default:
      return false;
  }
}
