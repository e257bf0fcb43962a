import { type AsyncScope, asyncScope } from '@temper/core/policy';
import type { Trial } from './begun.ts';
import type { RunningTrial } from './circuit/circuit.ts';

/** The trials that the present code runs in, the innermost first: breakers can be nested. */
interface Scope {
  readonly trial: Trial;
  readonly outer: Scope | undefined;
}

/** Created for the first trial: on older versions of Node it costs every promise something. */
let scopes: AsyncScope<Scope> | undefined;

/** Runs the operation of a trial, so that calls from inside it are recognised. */
export function runInTrial<T>(trial: Trial, work: () => T): T {
  scopes ??= asyncScope();
  let outer = scopes.get();
  // Where each trial begins the next one, as polling does, the scopes must not become a chain.
  while (outer?.trial.ended === true) outer = outer.outer;
  return scopes.run({ trial, outer }, work);
}

/** Whether the present code runs in one of these trials. */
export function isInTrial(trials: readonly RunningTrial[]): boolean {
  if (trials.length === 0) return false;
  for (let scope = scopes?.get(); scope !== undefined; scope = scope.outer) {
    if (trials.includes(scope.trial)) return true;
  }
  return false;
}
