import type { Block, Statement } from '../parse/ast.ts';

/** Whether every way through a block ends in a `return`. A loop may run no time, so it never counts. */
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

/** Whether a body has a `return` with a value, not counting function expressions in it. */
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
