import { type AsyncScope, asyncScope, type Call, processState } from '@temper/core/policy';

/** Which runs wait for which, in all installed copies of this package. A run is known by its context. */
interface Waits {
  /** The run that the present code belongs to. Created for the first run. */
  inside: AsyncScope<Call> | undefined;
  /** The runs in progress, and how often each waits for others. */
  readonly of: WeakMap<Call, Map<Call, number>>;
}

const waits: () => Waits = /* @__PURE__ */ processState('cached.waits.1', () => ({
  inside: undefined,
  of: new WeakMap(),
}));

/** Runs the operation of a run, so that calls from inside it are recognised. */
export function runInside<T>(run: Call, work: () => T): T {
  const all = waits();
  all.of.set(run, new Map());
  all.inside ??= asyncScope();
  return all.inside.run(run, work);
}

/** The runs that a call is made from: by its parent, and by the asynchronous context. */
function runsAround(call: Call): Call[] {
  const { inside, of } = waits();
  let byParent: Call | undefined = call;
  while (byParent !== undefined && !of.has(byParent)) byParent = byParent.outer;
  return [byParent, inside?.get()].filter((run) => run !== undefined);
}

/** Whether a call that waits for `run` would wait for itself: it is made from inside that run, or `run` waits for it. */
export function waitsForItself(call: Call, run: Call): boolean {
  const around = runsAround(call);
  if (around.length === 0) return false;
  const { of } = waits();
  const reached = new Set([run]);
  for (const each of reached) {
    if (around.includes(each)) return true;
    for (const next of of.get(each)?.keys() ?? []) reached.add(next);
  }
  return false;
}

/** A call waits for `run`. @returns to be called when it waits no longer */
export function beginWait(call: Call, run: Call): () => void {
  const of = runsAround(call).flatMap((each) => waits().of.get(each) ?? []);
  for (const counts of of) counts.set(run, (counts.get(run) ?? 0) + 1);
  return () => {
    for (const counts of of) {
      const left = (counts.get(run) ?? 0) - 1;
      if (left > 0) counts.set(run, left);
      else counts.delete(run);
    }
  };
}
