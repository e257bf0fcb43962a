import { setTimeout as sleep } from 'node:timers/promises';
import type { OperationEvent } from '@temper/parsercraft-handlers';
import type { Demo } from '../demo.ts';
import { Tally } from '../load/tally.ts';
import { changedSettings } from '../service/settings.ts';
import type {
  Phase,
  Scenario,
  ScenarioPromise,
  ScenarioRecord,
  ScenarioResult,
  TransitionRecord,
} from './scenario.ts';

/** What can be watched of a run. */
interface RunProgress {
  readonly onPhase?: (phase: Phase, index: number) => void;
  readonly onTransition?: (transition: TransitionRecord) => void;
  readonly signal?: AbortSignal;
}

/** Longest wait for the calls of a phase: more than any of them may take. */
const SETTLE_LIMIT_MS = 8_000;

/**
 * Runs a scenario against a demo that is up: works its switches, makes its load, measures, and judges
 * its promises. Leaves every fault off and the demo's own load as it was.
 *
 * @throws `signal.reason` when it is aborted
 */
export async function runScenario(
  scenario: Scenario,
  demo: Demo,
  progress: RunProgress = {},
): Promise<ScenarioResult> {
  const { signal } = progress;
  const { hardening, overrides } = demo.service;
  const startedAt = performance.now();
  const tallies: { readonly tally: Tally; readonly begunAt: number }[] = [];
  const transitions: TransitionRecord[] = [];
  const phaseAt = (at: number): Tally | undefined =>
    tallies.findLast(({ begunAt }) => begunAt <= at)?.tally;

  const onOperation = (event: OperationEvent): void =>
    // A call belongs to the phase in which it began.
    phaseAt(performance.now() - event.durationMs)?.add(event);
  using listeners = new DisposableStack();
  listeners.use(hardening.onOperation(onOperation));
  for (const breaker of Object.values(hardening.policies.breakers)) {
    listeners.use(
      breaker.onStateChange(({ policy, from, to, reason }) => {
        const now = performance.now();
        const transition: TransitionRecord = {
          breaker: policy,
          from,
          to,
          reason,
          atMs: Math.round(now - startedAt),
          phase: phaseAt(now)?.name ?? '',
        };
        transitions.push(transition);
        progress.onTransition?.(transition);
      }),
    );
  }

  const observers = scenario.observe?.(demo) ?? [];
  const usualLoad = demo.traffic.load;
  const ends: number[] = [];
  const settled = (): Promise<unknown> =>
    Promise.race([demo.traffic.settled(), sleep(SETTLE_LIMIT_MS, undefined, { ref: false })]);
  try {
    demo.traffic.set({});
    for (const [index, phase] of scenario.phases.entries()) {
      // What began under one fault ends under it: a call belongs to one phase, whole.
      await settled();
      await demo.faults.only(phase.faults ?? []);
      tallies.push({ tally: new Tally(phase.name), begunAt: performance.now() });
      progress.onPhase?.(phase, index);
      for (const observer of observers) await observer.phase?.(phase.name);
      demo.traffic.set(phase.load);
      await sleep(phase.seconds * 1_000, undefined, signal === undefined ? {} : { signal });
      ends.push(performance.now());
      demo.traffic.set({});
    }
    await settled();
  } catch (error) {
    throw signal?.aborted ? signal.reason : error;
  } finally {
    demo.traffic.set(usualLoad);
    await demo.faults.clear();
  }

  const measured: Record<string, number | string | boolean> = {};
  for (const observer of observers) Object.assign(measured, await observer.finish());
  const phases = tallies.map(({ tally, begunAt }, index) =>
    tally.result(((ends[index] as number) - begunAt) / 1_000),
  );
  const record = { phases, transitions, measured };
  const promises = scenario.promises.map((one) => ({
    promise: one.promise,
    ...judged(one, record),
  }));
  return {
    scenario: scenario.name,
    ok: promises.every(({ held }) => held),
    seconds: Math.round((performance.now() - startedAt) / 10) / 100,
    settings: changedSettings(overrides),
    ...record,
    promises,
  };
}

/** A promise that cannot be judged, as something was not measured, was not held. */
function judged(
  { judge }: ScenarioPromise,
  record: ScenarioRecord,
): { readonly held: boolean; readonly shown: string } {
  try {
    return judge(record);
  } catch (error) {
    return { held: false, shown: (error as Error).message };
  }
}
