// Two kinds of mutants that Stryker does not make by itself: a statement that is missing, and an `await`.
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';

const entry = createRequire(import.meta.url).resolve('@stryker-mutator/instrumenter');
const { allMutators } = await import(
  pathToFileURL(join(dirname(entry), 'mutators/mutate.js')).href
);
const { types } = createRequire(entry)('@babel/core');

/** Removes one statement of several: that of a block of one is what Stryker's `BlockStatement` removes. */
const statementRemoval = {
  name: 'StatementRemoval',
  *mutate(path) {
    if (!path.isExpressionStatement() || isSuperCall(path.node.expression)) return;
    const { parent } = path;
    if (types.isBlockStatement(parent) && parent.body.length === 1) return;
    yield types.emptyStatement();
  },
};

/** A derived class cannot be constructed without it. */
function isSuperCall(expression) {
  return types.isCallExpression(expression) && types.isSuper(expression.callee);
}

/** Takes the promise for its value. */
const awaitRemoval = {
  name: 'AwaitRemoval',
  *mutate(path) {
    if (path.isAwaitExpression()) yield types.cloneNode(path.node.argument, true);
  },
};

/**
 * Adds them to those that Stryker uses in this process. It has no extension point for mutators: the list is read
 * by its path, and a version of Stryker without it fails here.
 */
export function addMutators() {
  for (const mutator of [statementRemoval, awaitRemoval]) {
    if (!allMutators.includes(mutator)) allMutators.push(mutator);
  }
}
