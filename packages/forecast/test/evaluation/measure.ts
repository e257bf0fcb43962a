import type { Detector } from './detector.ts';
import { type Run, STEP_S } from './simulator.ts';

/** What one method did in one run at one threshold. */
export interface Result {
  readonly run: Run;
  /** Seconds from the first warning after the onset to the moment at which users notice; less than 0 when it comes later. */
  readonly leadS: number | undefined;
  readonly detected: boolean;
  readonly falseSeconds: number;
  readonly falseWarnings: number;
  readonly seconds: number;
}

/** The scores of a method over a run. */
export interface Scored {
  readonly run: Run;
  readonly scores: Float64Array;
}

export function score(run: Run, detector: Detector): Scored {
  return { run, scores: Float64Array.from(run.steps, (step) => detector.update(step)) };
}

/** Minutes after the repair in which a warning may still stand. */
export const AFTERGLOW_STEPS = 300 / STEP_S;

export function judge({ run, scores }: Scored, threshold: number): Result {
  const { onset, noticed, end } = run;
  let falseSteps = 0;
  let falseWarnings = 0;
  let first: number | undefined;
  let before = false;
  for (let i = 0; i < scores.length; i++) {
    const warns = (scores[i] as number) >= threshold;
    const within = onset !== undefined && i >= onset && i < (end as number);
    const afterglow =
      onset !== undefined && i >= (end as number) && i < (end as number) + AFTERGLOW_STEPS;
    if (warns && within) first ??= i;
    if (warns && !within && !afterglow) {
      falseSteps++;
      if (!before) falseWarnings++;
    }
    before = warns;
  }
  const target = noticed ?? end;
  return {
    run,
    // The warning is there when the step has ended.
    leadS:
      onset === undefined || first === undefined
        ? undefined
        : ((target as number) - first - 1) * STEP_S,
    detected: first !== undefined,
    falseSeconds: falseSteps * STEP_S,
    falseWarnings,
    seconds: scores.length * STEP_S,
  };
}

/** Figures of a method at one threshold. */
export interface Figures {
  readonly threshold: number;
  /** Mean lead time in seconds; an incident that was missed counts with the time from notice to end, below 0. */
  readonly meanLeadS: number;
  readonly medianLeadS: number;
  readonly recall: number;
  /** Share of the incidents that were called before users noticed. */
  readonly early: number;
  readonly precision: number;
  readonly falseSecondsPerDay: number;
  readonly falseWarningsPerDay: number;
}

export function figures(scored: readonly Scored[], threshold: number): Figures {
  const results = scored.map((one) => judge(one, threshold));
  const incidents = results.filter(({ run }) => run.onset !== undefined);
  const leads = incidents.map(leadOf).sort((a, b) => a - b);
  const detected = incidents.filter((one) => one.detected).length;
  const falseWarnings = sum(results.map((one) => one.falseWarnings));
  const days = sum(results.map((one) => one.seconds)) / 86_400;
  return {
    threshold,
    meanLeadS: sum(leads) / Math.max(1, leads.length),
    medianLeadS: median(leads),
    recall: detected / Math.max(1, incidents.length),
    early:
      incidents.filter(({ leadS }) => leadS !== undefined && leadS > 0).length /
      Math.max(1, incidents.length),
    precision: detected / Math.max(1, detected + falseWarnings),
    falseSecondsPerDay: sum(results.map((one) => one.falseSeconds)) / days,
    falseWarningsPerDay: falseWarnings / days,
  };
}

export function leadOf({ leadS, run }: Result): number {
  return leadS ?? -((run.end as number) - (run.noticed ?? (run.end as number))) * STEP_S;
}

/** The lowest threshold at which a method warns falsely for at most so many seconds per day. */
export function tune(scored: readonly Scored[], secondsPerDay: number): number {
  const quiet: number[] = [];
  let seconds = 0;
  for (const { run, scores } of scored) {
    seconds += scores.length * STEP_S;
    for (let i = 0; i < scores.length; i++) {
      const within =
        run.onset !== undefined && i >= run.onset && i < (run.end as number) + AFTERGLOW_STEPS;
      if (!within) quiet.push(scores[i] as number);
    }
  }
  const sorted = Float64Array.from(quiet).sort();
  const allowed = Math.floor(((seconds / 86_400) * secondsPerDay) / STEP_S);
  const highest = sorted[sorted.length - 1 - allowed] ?? Number.POSITIVE_INFINITY;
  return highest + Math.max(1e-9, Math.abs(highest) * 1e-9);
}

export const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
export const median = (sorted: readonly number[]): number =>
  sorted.length === 0
    ? Number.NaN
    : ((sorted[(sorted.length - 1) >> 1] as number) + (sorted[sorted.length >> 1] as number)) / 2;
