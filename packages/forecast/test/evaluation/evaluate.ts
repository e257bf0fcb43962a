import type { Method } from './detector.ts';
import { fitLogistic, probability } from './logistic.ts';
import {
  type Figures,
  figures,
  judge,
  leadOf,
  median,
  type Scored,
  score,
  sum,
  tune,
} from './measure.ts';
import { BASELINES, DEFAULT, methods, samplesOf } from './methods.ts';
import { measurePetShop, type PetShopFigures, petShop } from './petshop.ts';
import { CALMS, INCIDENTS, type Kind, type Run, STEP_S, simulate } from './simulator.ts';

const range = (from: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => from + i);
/** Seeds that thresholds, models and constants were chosen with. */
export const TUNING_SEEDS: readonly number[] = range(1, 8);
/** Seeds that were run for the published figures only, after everything had been chosen. */
export const HELD_OUT_SEEDS: readonly number[] = range(2001, 12);
/** False alarms that every method is tuned to, in seconds per day: one false minute. */
export const FALSE_SECONDS = 60;
/** Thresholds of the curve of lead time over false alarms. */
const CURVE = [15, 30, 60, 120, 240, 480, 960, 1920, 3840];

export interface MethodFigures extends Figures {
  readonly method: string;
  readonly source: string;
  readonly nsPerCall: number;
  readonly leadByKind: Readonly<Record<string, number>>;
  readonly recallByKind: Readonly<Record<string, number>>;
  readonly falseByKind: Readonly<Record<string, number>>;
  readonly curve: readonly {
    readonly falseSecondsPerDay: number;
    readonly meanLeadS: number;
    readonly early: number;
  }[];
}

/** What a method did in one run: seconds of lead, and false seconds. */
export interface SampleRun {
  readonly kind: Kind;
  readonly leadS: number;
  readonly falseS: number;
}

export interface Evaluation {
  readonly tuningSeeds: readonly number[];
  readonly heldOutSeeds: readonly number[];
  readonly falseSecondsPerDay: number;
  readonly incidents: number;
  readonly calmDays: number;
  readonly methods: readonly MethodFigures[];
  readonly petShop: readonly PetShopFigures[];
  /** The runs of the first held-out seed, by method: a test runs them again. */
  readonly sample: Readonly<Record<string, readonly SampleRun[]>>;
  readonly calibration: {
    readonly slope: number;
    readonly offset: number;
    readonly bins: readonly {
      readonly predicted: number;
      readonly observed: number;
      readonly steps: number;
    }[];
    readonly brier: number;
    readonly brierOfBaseRate: number;
  };
}

/** Every kind of scenario with every seed. */
export function simulateAll(seeds: readonly number[]): readonly Run[] {
  return seeds.flatMap((seed) =>
    [...INCIDENTS, ...CALMS].map((kind: Kind) => simulate(kind, seed)),
  );
}

export function evaluate(
  tuningSeeds: readonly number[],
  heldOutSeeds: readonly number[],
  log: (line: string) => void,
): Evaluation {
  log('simulating');
  const tuning = simulateAll(tuningSeeds);
  const heldOut = simulateAll(heldOutSeeds);
  const data = petShop();
  const all = methods(tuning);
  const measured: MethodFigures[] = [];
  const recorded: PetShopFigures[] = [];
  for (const method of all) {
    const tuned = tuning.map((run) => score(run, method.create()));
    const threshold = tune(tuned, FALSE_SECONDS);
    measured.push(measure(method, tuned, heldOut, threshold));
    recorded.push(measurePetShop(method, data));
    log(method.name);
  }
  return {
    tuningSeeds,
    heldOutSeeds,
    falseSecondsPerDay: FALSE_SECONDS,
    incidents: heldOut.filter(({ onset }) => onset !== undefined).length,
    calmDays: round(
      (sum(heldOut.filter(({ onset }) => onset === undefined).map(({ steps }) => steps.length)) *
        STEP_S) /
        86_400,
    ),
    methods: measured,
    petShop: recorded,
    sample: Object.fromEntries(
      measured.map(({ method, threshold }) => [
        method,
        sampleOf(
          all.find(({ name }) => name === method) as Method,
          heldOut.filter(({ seed }) => seed === heldOutSeeds[0]),
          threshold,
        ),
      ]),
    ),
    calibration: calibrate(tuning, heldOut),
  };
}

function measure(
  method: Method,
  tuned: readonly Scored[],
  heldOut: readonly Run[],
  threshold: number,
): MethodFigures {
  const steps = sum(heldOut.map((run) => run.steps.length));
  const before = process.hrtime.bigint();
  const scored = heldOut.map((run) => score(run, method.create()));
  const ns = Number(process.hrtime.bigint() - before);
  const results = scored.map((one) => judge(one, threshold));
  const byKind = (
    kinds: readonly Kind[],
    value: (of: typeof results) => number,
  ): Record<string, number> =>
    Object.fromEntries(
      kinds.map((kind) => [kind, round(value(results.filter(({ run }) => run.kind === kind)))]),
    );
  const all = figures(scored, threshold);
  return {
    method: method.name,
    source: method.source,
    // Twenty-five calls in a step of five seconds share the cost of the step.
    nsPerCall: Math.round(ns / steps / 25),
    ...(Object.fromEntries(
      Object.entries(all).map(([key, value]) => [key, round(value)]),
    ) as unknown as Figures),
    leadByKind: byKind(INCIDENTS, (of) => median(of.map(leadOf).sort((a, b) => a - b))),
    recallByKind: byKind(
      INCIDENTS,
      (of) => of.filter(({ detected }) => detected).length / of.length,
    ),
    falseByKind: byKind(
      CALMS,
      (of) =>
        (sum(of.map(({ falseSeconds }) => falseSeconds)) / sum(of.map(({ seconds }) => seconds))) *
        86_400,
    ),
    curve: CURVE.map((allowed) => {
      const { falseSecondsPerDay, meanLeadS, early } = figures(scored, tune(tuned, allowed));
      return {
        falseSecondsPerDay: round(falseSecondsPerDay),
        meanLeadS: round(meanLeadS),
        early: round(early),
      };
    }),
  };
}

/** Each run of a method, at a threshold. */
export function sampleOf(
  method: Method,
  runs: readonly Run[],
  threshold: number,
): readonly SampleRun[] {
  return runs.map((run) => {
    const result = judge(score(run, method.create()), threshold);
    return {
      kind: run.kind,
      leadS: run.onset === undefined ? 0 : leadOf(result),
      falseS: result.falseSeconds,
    };
  });
}

/** Platt's scaling of the score, fitted to the tuning seeds and checked on the others. */
function calibrate(tuning: readonly Run[], heldOut: readonly Run[]): Evaluation['calibration'] {
  const model = fitLogistic(
    samplesOf(tuning, ({ score: one }) => [Math.log1p(one)]),
    400,
  );
  const checked = samplesOf(heldOut, ({ score: one }) => [Math.log1p(one)]).map(
    ({ features, label, weight }) => ({
      predicted: probability((model.weights[0] as number) * (features[0] as number) + model.bias),
      label,
      weight,
    }),
  );
  const edges = [0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 1.000001];
  const total = sum(checked.map(({ weight }) => weight));
  const base = sum(checked.map(({ label, weight }) => label * weight)) / total;
  const brier = (guess: (one: (typeof checked)[number]) => number): number =>
    round(sum(checked.map((one) => one.weight * (guess(one) - one.label) ** 2)) / total, 4);
  return {
    slope: round(model.weights[0] as number),
    offset: round(model.bias),
    bins: edges.slice(1).flatMap((high, i) => {
      const within = checked.filter(
        ({ predicted }) => predicted >= (edges[i] as number) && predicted < high,
      );
      const steps = sum(within.map(({ weight }) => weight));
      if (steps === 0) return [];
      return [
        {
          predicted: round(
            sum(within.map(({ predicted, weight }) => predicted * weight)) / steps,
            3,
          ),
          observed: round(sum(within.map(({ label, weight }) => label * weight)) / steps, 3),
          steps,
        },
      ];
    }),
    brier: brier(({ predicted }) => predicted),
    brierOfBaseRate: brier(() => base),
  };
}

/**
 * The longest mean lead time that a method reaches with at most so many false seconds per day on the
 * held-out seeds; `undefined` when it reaches no point of its curve.
 */
export function bestLead({ curve }: MethodFigures, falseSecondsPerDay: number): number | undefined {
  const leads = curve
    .filter((point) => point.falseSecondsPerDay <= falseSecondsPerDay)
    .map((point) => point.meanLeadS);
  return leads.length === 0 ? undefined : Math.max(...leads);
}

/** Whether the default has a longer lead time than both baselines at the same rate of false alarms. */
export function defaultWins(evaluation: Evaluation): boolean {
  const own = evaluation.methods.find(({ method }) => method === DEFAULT) as MethodFigures;
  return evaluation.methods
    .filter(({ method }) => BASELINES.includes(method))
    .every(
      (baseline) =>
        (bestLead(baseline, own.falseSecondsPerDay) ?? Number.NEGATIVE_INFINITY) < own.meanLeadS,
    );
}

function round(value: number, digits: number = 2): number {
  const scale = 10 ** digits;
  return Math.round(value * scale) / scale;
}
