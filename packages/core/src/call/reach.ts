import type { Operation } from '../contract.ts';
import { processState } from '../process-state.ts';
import { sameAttempt } from './capacity.ts';
import type { Call } from './context.ts';

/** Attempts between which and their operation there are other policies, and whether these have called it. */
const reached: () => WeakMap<object, boolean> = /* @__PURE__ */ processState(
  'call.reached.1',
  () => new WeakMap(),
);

/**
 * The operation of an attempt, for the policies between: notes when one of them calls it. Until then the
 * dependency has heard nothing of the attempt, see {@link isUnheard}.
 */
export function noteReach<T>(operation: Operation<T>, attempt: Call): Operation<T> {
  const known = reached();
  const contexts = sameAttempt(attempt); // that of its timeout, and its own
  for (const each of contexts) if (!known.has(each)) known.set(each, false);
  return (call) => {
    for (const each of contexts) known.set(each, true);
    return operation(call);
  };
}

/**
 * Whether policies inside have kept an attempt from its operation: refused it, let it wait until it ended, or
 * answered it. Never true where nobody has told of it by {@link noteReach}, as where the operation is called
 * directly.
 */
export function isUnheard(attempt: Call): boolean {
  return reached().get(attempt) === false;
}
