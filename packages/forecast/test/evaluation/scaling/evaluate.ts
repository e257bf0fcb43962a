import { type ScalingSignal, scalingSignal } from '../../../src/scaling/index.ts';
import { CONCURRENCY, runFleet, SERVICE_MS, type Week } from './fleet.ts';
import { METHODS, type Method, SIGNAL, standingClock } from './scalers.ts';
import { KINDS, type Kind, simulateTraffic, TICK_S, type Traffic } from './traffic.ts';

const range = (from: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => from + i);
/** Seeds that the constants of the forecast were chosen with. */
export const SCALING_TUNING_SEEDS: readonly number[] = range(1, 4);
/** Seeds that were run for the published figures only. */
export const SCALING_HELD_OUT_SEEDS: readonly number[] = range(3001, 8);
/** Targets of the utilization that every scaler was run with; the static fleet with the default only. */
const TARGETS = [0.6, 0.7, 0.8, 0.9] as const;
export const DEFAULT_TARGET = 0.7;
/** Kind, seed and hours of the day that is drawn: a Tuesday morning. */
const DRAWN = { kind: 'opening', hours: [32, 36] } as const;

/** Means over the seeds of one kind. */
export interface ScalingRow {
  readonly kind: Kind;
  readonly method: string;
  readonly target: number;
  readonly replicaHours: number;
  /** Calls of a million that were not served. */
  readonly missedPerMillion: number;
  readonly p99WaitMs: number;
  readonly p999WaitMs: number;
  /** Share of the week in which the season was used. */
  readonly predictive: number;
}

export interface ScalingEvaluation {
  readonly tuningSeeds: readonly number[];
  readonly heldOutSeeds: readonly number[];
  readonly rows: readonly ScalingRow[];
  /** Missed calls of a million of the first held-out seed with the default target, by kind and method. */
  readonly sample: Readonly<Record<string, Readonly<Record<string, number>>>>;
  /** Share of the demand that came between the lower and the upper bound, by kind; 0.9 was asked for. */
  readonly coverage: Readonly<Record<string, number>>;
  /** Replicas by method in the hours that are drawn, every five minutes. */
  readonly drawn: {
    readonly fromHour: number;
    readonly toHour: number;
    readonly replicas: Readonly<Record<string, readonly number[]>>;
    /** What the calls of each five minutes needed with the default target. */
    readonly need: readonly number[];
  };
}

export function evaluateScaling(
  heldOutSeeds: readonly number[],
  log: (line: string) => void,
): ScalingEvaluation {
  const rows: ScalingRow[] = [];
  const sample: Record<string, Record<string, number>> = {};
  const coverage: Record<string, number> = {};
  let drawn: ScalingEvaluation['drawn'] | undefined;
  for (const kind of KINDS) {
    const traffics = heldOutSeeds.map((seed) => simulateTraffic(kind, seed));
    for (const method of METHODS) {
      const targets = method.name === 'static' ? [DEFAULT_TARGET] : TARGETS;
      for (const target of targets) rows.push(rowOf(kind, method, target, traffics));
    }
    sample[kind] = sampleOf(traffics[0] as Traffic);
    coverage[kind] = round(mean(traffics.map(covered)), 3);
    if (kind === DRAWN.kind) drawn = draw(traffics[0] as Traffic);
    log(kind);
  }
  return {
    tuningSeeds: SCALING_TUNING_SEEDS,
    heldOutSeeds,
    rows,
    sample,
    coverage,
    drawn: drawn as ScalingEvaluation['drawn'],
  };
}

/** Missed calls of a million with the default target, by method. */
export function sampleOf(traffic: Traffic): Readonly<Record<string, number>> {
  return Object.fromEntries(
    METHODS.map((method) => [
      method.name,
      round(runFleet(traffic, method.create(traffic, DEFAULT_TARGET)).missed * 1e6, 1),
    ]),
  );
}

function rowOf(
  kind: Kind,
  method: Method,
  target: number,
  traffics: readonly Traffic[],
): ScalingRow {
  const weeks = traffics.map((traffic) => runFleet(traffic, method.create(traffic, target)));
  const of = (value: (week: Week) => number): number => mean(weeks.map(value));
  return {
    kind,
    method: method.name,
    target,
    replicaHours: round(
      of(({ replicaHours }) => replicaHours),
      0,
    ),
    missedPerMillion: round(of(({ missed }) => missed) * 1e6, 1),
    p99WaitMs: round(of(({ p99WaitS }) => p99WaitS) * 1000, 0),
    p999WaitMs: round(of(({ p999WaitS }) => p999WaitS) * 1000, 0),
    predictive: round(
      of(({ modes }) => (modes['predictive'] ?? 0) / 168),
      2,
    ),
  };
}

/** How often the demand came within the interval that was said a lead time before. */
function covered({ arrivals, from, startS }: Traffic): number {
  const clock = standingClock();
  let total = 0;
  let rate = 0;
  const signal: ScalingSignal = scalingSignal({
    name: 'covered',
    concurrency: CONCURRENCY,
    leadMs: startS * 1000,
    clock,
    sources: {
      arrivals: () => total,
      inFlight: () => (rate * SERVICE_MS) / 1000,
      serviceTimeMs: () => SERVICE_MS,
      replicas: () => 1,
    },
  });
  const leadTicks = Math.round(startS / TICK_S);
  const due = new Map<number, readonly [number, number]>();
  let within = 0;
  let all = 0;
  for (let tick = 0; tick < arrivals.length; tick++) {
    total += arrivals[tick] as number;
    rate = (arrivals[tick] as number) / TICK_S;
    clock.at = tick * TICK_S * 1000;
    const said = due.get(tick);
    if (tick % 12 !== 0 && said === undefined) continue;
    const { need, lower, upper } = signal.recommendation();
    if (said !== undefined && need !== undefined && tick >= from) {
      all++;
      if (need >= said[0] && need <= said[1]) within++;
    }
    due.delete(tick);
    if (tick % 12 === 0 && lower !== undefined && upper !== undefined) {
      due.set(tick + leadTicks, [lower, upper]);
    }
  }
  return within / all;
}

function draw(traffic: Traffic): ScalingEvaluation['drawn'] {
  const [fromHour, toHour] = DRAWN.hours;
  const slots = [fromHour * 12, toHour * 12] as const;
  const replicas = Object.fromEntries(
    METHODS.filter(({ name }) => name !== 'static').map((method) => [
      method.name,
      runFleet(traffic, method.create(traffic, DEFAULT_TARGET)).replicas.slice(...slots),
    ]),
  );
  const need = Array.from({ length: slots[1] - slots[0] }, (_, i) => {
    const span = 300 / TICK_S;
    const first = traffic.from + (slots[0] + i) * span;
    const calls = traffic.arrivals.slice(first, first + span).reduce((a, b) => a + b, 0);
    return round(((calls / 300) * SERVICE_MS) / 1000 / CONCURRENCY / DEFAULT_TARGET, 1);
  });
  return { fromHour, toHour, replicas, need };
}

/** Whether the signal misses fewer calls than a scaler, for at most two parts of a hundred more hours. */
export function helps({ rows }: ScalingEvaluation, kind: Kind, other: string): boolean {
  const of = (method: string): ScalingRow =>
    rows.find(
      (row) => row.kind === kind && row.method === method && row.target === DEFAULT_TARGET,
    ) as ScalingRow;
  const [own, their] = [of(SIGNAL), of(other)];
  return (
    own.missedPerMillion < 0.5 * their.missedPerMillion &&
    own.replicaHours <= 1.02 * their.replicaHours
  );
}

const mean = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / Math.max(1, values.length);
const round = (value: number, digits: number): number => Number(value.toFixed(digits));
