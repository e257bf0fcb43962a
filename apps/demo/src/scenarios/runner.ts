import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@temper/core/policy';
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

/** Callbacks for the progress of a run, and a signal that aborts it. */
interface RunProgress {
  readonly onPhase?: (phase: Phase, index: number) => void;
  readonly onTransition?: (transition: TransitionRecord) => void;
  readonly signal?: AbortSignal;
}

/** Longest wait for the calls of a phase, in milliseconds; above the deadline of every operation. */
const SETTLE_LIMIT_MS = 8_000;

/**
 * Runs a scenario against a running demo: switches the faults, generates the load, measures, and
 * checks the promises. Afterwards all faults are off and the previous load is restored.
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
    // A call belongs to the phase in which it started.
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
      // Calls of the last phase end before its faults change, so that each call belongs to one phase.
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

/** A promise whose measurement is missing counts as broken. */
function judged(
  { judge }: ScenarioPromise,
  record: ScenarioRecord,
): { readonly held: boolean; readonly shown: string } {
  try {
    return judge(record);
  } catch (error) {
    return { held: false, shown: messageOf(error) };
  }
}
