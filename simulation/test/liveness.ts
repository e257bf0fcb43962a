import { simulate } from '@temper/testkit/simulation';
import { KIND_NAMES, type KindName, kindOf } from './kinds.ts';
import { isRefused, type Layer, Prepared, recoveryMs, type Scenario } from './scenario.ts';

/** With nothing but what a policy needs, or with the options that its README shows. */
export type Variant = 'defaults' | 'documented';
export const VARIANTS: readonly Variant[] = ['defaults', 'documented'];

/** Answers 160 requests a second, of which the callers ask for 8. */
const IDLE = { workers: 8, serviceMs: 50 };
/** Answers 12.5 a second: two thirds are asked for. */
const BUSY = { workers: 1, serviceMs: 80 };

/** The outages that each pipeline is sent through. */
const TRIALS = {
  error: { kind: 'error', dependency: IDLE, queueMs: 0 },
  hang: { kind: 'hang', dependency: IDLE, queueMs: 0 },
  slow: { kind: 'slow', dependency: IDLE, queueMs: 0 },
  // Its queue of 100, on which it works for callers that have gone, takes 22 s with no policy at all.
  overload: { kind: 'slow', dependency: BUSY, queueMs: 40_000 },
} as const;

export type Trial = keyof typeof TRIALS;
export const TRIAL_NAMES: readonly Trial[] = Object.keys(TRIALS) as Trial[];

/** What pipelines are tried under: 8 calls a second. */
const WORLD = {
  seed: 1,
  nested: false,
  perSecond: 8,
  arrivals: 'poisson',
  timeoutMs: 2000,
  abortShare: 0,
  keys: 4,
  tight: false,
  mostCost: 1,
  priorities: false,
  errorRate: 0,
  loss: 0,
  duplication: 0,
  foreignPromises: 0,
  clockStepMs: 0,
  throwing: 0,
} as const satisfies Partial<Scenario>;

const OUTAGE = { startMs: 10_000, durationMs: 30_000 };
/** How long goodput is looked at after the time in which it must have recovered, in milliseconds. */
const HELD_MS = 20_000;

/** How a pipeline came through an outage of one kind. */
export interface Passage {
  /** Seconds until goodput was 95 % again for good; `null` when never. */
  readonly recoverySeconds: number | null;
  /** Goodput after the time in which it must have recovered. */
  readonly goodput: number;
  /** Requests that the dependency got during the outage, for each call. */
  readonly load: number;
}

/** A pipeline through each outage; `null` when its order is refused. */
export type Passages = Readonly<Record<Trial, Passage>> | null;

/** The policies of a row, with the options of a variant. */
export function layersOf(kinds: readonly KindName[], variant: Variant): Layer[] {
  return kinds.map((kind) => {
    const { defaults = {}, documented = {} } = kindOf(kind);
    return { kind, options: variant === 'defaults' ? defaults : { ...defaults, ...documented } };
  });
}

/** Whether the README of one of them shows options of its own. */
export const hasVariant = (kinds: readonly KindName[]): boolean =>
  kinds.some((kind) => kindOf(kind).documented !== undefined);

/** The time in which a pipeline must have recovered, in seconds. */
export const statedSeconds = (layers: readonly Layer[], trial: Trial): number =>
  (recoveryMs(layers) + TRIALS[trial].queueMs) / 1000;

/** Whether something is wrong with how a pipeline came through an outage. */
export function isLate(layers: readonly Layer[], trial: Trial, passage: Passage): boolean {
  const { recoverySeconds, goodput } = passage;
  return (
    recoverySeconds === null || recoverySeconds > statedSeconds(layers, trial) || goodput < 0.95
  );
}

/** Sends a pipeline through each outage. */
export async function passagesOf(kinds: readonly KindName[], variant: Variant): Promise<Passages> {
  const layers = layersOf(kinds, variant);
  const passages: Partial<Record<Trial, Passage>> = {};
  for (const trial of TRIAL_NAMES) {
    const { kind, dependency } = TRIALS[trial];
    const outage = { kind, ...OUTAGE };
    const afterMs = statedSeconds(layers, trial) * 1000 + HELD_MS;
    const scenario: Scenario = { ...WORLD, ...dependency, layers, outage, afterMs };
    if (isRefused(scenario)) return null;
    const report = await simulate(new Prepared(scenario).options);
    const recovered = report.recoveryMs;
    passages[trial] = {
      recoverySeconds: recovered === undefined ? null : Math.round(recovered / 1000),
      goodput: rounded(report.phase(report.durationMs - HELD_MS, report.durationMs).goodput),
      load: rounded(report.during.load),
    };
  }
  return passages as Record<Trial, Passage>;
}

const rounded = (value: number): number => Math.round(value * 100) / 100;

/** Every ordered pair, and each policy alone. */
export const PAIRS: readonly (readonly KindName[])[] = [
  ...KIND_NAMES.map((kind) => [kind]),
  ...KIND_NAMES.flatMap((outer) =>
    KIND_NAMES.filter((inner) => inner !== outer).map((inner) => [outer, inner]),
  ),
];
