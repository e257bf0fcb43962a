import { type RecordedCall, replay, type TuningSettings } from '../../src/tuning/index.ts';
import { table } from '../evaluation/page.ts';
import {
  drawScenario,
  SCENARIOS,
  type ScenarioName,
  type Totals,
  USUAL_SETTINGS,
  World,
} from './world.ts';

/** Seeds that rules and scenarios were made with. */
export const SEEN_SEEDS: readonly number[] = [1, 2, 3, 4];
/** Seeds that were run for the published figures only. */
export const HELD_OUT_SEEDS: readonly number[] = [2001, 2002, 2003];
/** Calls before a service is measured, and while it is. */
const WARM_UP = 50_000;
const MEASURED = 10_000;
/** Calls of a trace that is replayed, and of the run that it is held against. */
const TRACED = 4000;
/** Other settings that traces are replayed with. */
export const CHANGES: readonly TuningSettings[] = [
  {},
  { maxAttempts: 1 },
  { maxAttempts: 5 },
  { initialDelayMs: 20 },
  { attemptTimeoutMs: 400 },
  { hedgeDelayMs: 100 },
  { maxAttempts: 2, attemptTimeoutMs: 600, hedgeDelayMs: 150 },
];
/** Replays say nothing of outages: what comes at another time fails at another time. */
export const REPLAYED: readonly ScenarioName[] = SCENARIOS.filter((name) => name !== 'outages');

/** What a service came to. */
interface Side {
  readonly failed: number;
  readonly p99Ms: number;
  readonly load: number;
}

export interface ScenarioFigures {
  readonly scenario: ScenarioName;
  readonly calls: number;
  readonly usual: Side;
  readonly tuned: Side;
  readonly kept: number;
  readonly undone: number;
}

/** Of how many replays a figure of the true run lay in the range. */
export interface CoverageFigures {
  readonly scenario: ScenarioName;
  readonly replays: number;
  readonly failureRatio: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly load: number;
}

export interface TuningEvaluation {
  readonly heldOutSeeds: readonly number[];
  readonly scenarios: readonly ScenarioFigures[];
  readonly coverage: readonly CoverageFigures[];
  /** The first held-out seed of one scenario: a test runs it again. */
  readonly sample: ScenarioFigures;
}

export async function compare(
  scenario: ScenarioName,
  seeds: readonly number[],
): Promise<ScenarioFigures> {
  const sides: Record<'usual' | 'tuned', Totals[]> = { usual: [], tuned: [] };
  let kept = 0;
  let undone = 0;
  for (const seed of seeds) {
    for (const applies of [false, true]) {
      const world = new World({
        scenario: drawScenario(scenario, seed),
        seed,
        settings: USUAL_SETTINGS,
        tuning: {
          applies,
          stepMs: 30_000,
          onChange: ({ outcome }) => {
            if (outcome === 'kept') kept++;
            if (outcome === 'undone') undone++;
          },
        },
      });
      await world.run(WARM_UP);
      sides[applies ? 'tuned' : 'usual'].push(await world.run(MEASURED));
    }
  }
  const calls = seeds.length * MEASURED;
  const side = (runs: readonly Totals[]): Side => ({
    failed: round(sum(runs.map(({ failed }) => failed)) / calls, 5),
    p99Ms: round(sum(runs.map(({ p99Ms }) => p99Ms)) / runs.length, 1),
    load: round(sum(runs.map(({ tries }) => tries)) / calls, 4),
  });
  return { scenario, calls, usual: side(sides.usual), tuned: side(sides.tuned), kept, undone };
}

/** Replays traces with other settings, and holds them to true runs with these. */
export async function cover(
  scenario: ScenarioName,
  seeds: readonly number[],
  changes: readonly TuningSettings[],
  calls: number = TRACED,
): Promise<CoverageFigures> {
  const held = { failureRatio: 0, p50Ms: 0, p99Ms: 0, load: 0 };
  for (const seed of seeds) {
    const recorded: RecordedCall[] = [];
    const drawn = drawScenario(scenario, seed);
    const onCall = (call: RecordedCall): void => void recorded.push(call);
    await new World({ scenario: drawn, seed, settings: USUAL_SETTINGS, onCall }).run(calls);
    const trace = { name: scenario, settings: USUAL_SETTINGS, calls: recorded };
    for (const change of changes) {
      const settings = { ...USUAL_SETTINGS, ...change };
      const truth = await new World({ scenario: drawn, seed: seed + 5000, settings }).run(calls);
      const said = replay(trace, change);
      const actual = {
        failureRatio: truth.failed / calls,
        p50Ms: truth.p50Ms,
        p99Ms: truth.p99Ms,
        load: truth.tries / calls,
      };
      for (const figure of Object.keys(held) as (keyof typeof held)[]) {
        const { low, high } = said[figure];
        if (low - 1e-9 <= actual[figure] && actual[figure] <= high + 1e-9) held[figure]++;
      }
    }
  }
  return { scenario, replays: seeds.length * changes.length, ...held };
}

export async function evaluateTuning(log: (line: string) => void): Promise<TuningEvaluation> {
  const scenarios: ScenarioFigures[] = [];
  for (const scenario of SCENARIOS) {
    log(scenario);
    scenarios.push(await compare(scenario, HELD_OUT_SEEDS));
  }
  const coverage: CoverageFigures[] = [];
  for (const scenario of REPLAYED) {
    log(`replays of ${scenario}`);
    coverage.push(await cover(scenario, HELD_OUT_SEEDS.slice(0, 2), CHANGES));
  }
  const sample = await compare('hopeless', HELD_OUT_SEEDS.slice(0, 1));
  return { heldOutSeeds: HELD_OUT_SEEDS, scenarios, coverage, sample };
}

/** Whether the tuned service is better: no more failures than chance explains, and a lower p99. */
export function isBetter({ calls, usual, tuned }: ScenarioFigures): boolean {
  const noise = 3 * Math.sqrt((2 * Math.max(usual.failed, 1 / calls)) / calls);
  return tuned.failed <= usual.failed + noise && tuned.p99Ms < 0.95 * usual.p99Ms;
}

/** The parts of docs/tuning.md and the README. */
export function tuningParts(evaluation: TuningEvaluation): Readonly<Record<string, string>> {
  const { scenarios, coverage } = evaluation;
  const percent = (share: number): string => `${(100 * share).toFixed(2)} %`;
  const better = scenarios.filter(isBetter).map(({ scenario }) => `\`${scenario}\``);
  const others = scenarios.filter((one) => !isBetter(one)).map(({ scenario }) => `\`${scenario}\``);
  const more = scenarios.filter(({ usual, tuned }) => tuned.load > usual.load + 0.01);
  const most = Math.max(...scenarios.map(({ usual, tuned }) => tuned.load - usual.load));
  const held = (figure: 'failureRatio' | 'p50Ms' | 'p99Ms' | 'load'): string =>
    `${sum(coverage.map((one) => one[figure]))}`;
  const replays = sum(coverage.map((one) => one.replays));
  return {
    tuning: table(
      [
        'scenario',
        'failed',
        'failed, tuned',
        'p99, ms',
        'p99, tuned',
        'tries per call',
        'tries, tuned',
        'kept',
        'undone',
      ],
      scenarios.map(({ scenario, usual, tuned, kept, undone }) => [
        scenario,
        percent(usual.failed),
        percent(tuned.failed),
        usual.p99Ms.toFixed(0),
        tuned.p99Ms.toFixed(0),
        usual.load.toFixed(3),
        tuned.load.toFixed(3),
        String(kept),
        String(undone),
      ]),
    ),
    coverage: table(
      ['scenario', 'replays', 'failures', 'p50', 'p99', 'load'],
      coverage.map((one) => [
        one.scenario,
        String(one.replays),
        String(one.failureRatio),
        String(one.p50Ms),
        String(one.p99Ms),
        String(one.load),
      ]),
    ),
    'tuning-verdict': `On the held-out seeds, tuned settings have a 99th percentile that is lower by a twentieth or more, and no more failures than chance explains, in ${better.length} of ${scenarios.length} scenarios: ${better.join(', ') || 'none'}. ${others.length === 0 ? 'There is no other.' : `They are not better in ${others.join(', ')}.`} In ${more.length} scenarios the dependency gets more tries for it, up to ${most.toFixed(3)} per call.`,
    'replay-verdict': `Of ${replays} replays with other settings, the true run lay within the range in ${held('failureRatio')} for the share of failures, ${held('p50Ms')} for the median, ${held('p99Ms')} for the 99th percentile, and ${held('load')} for the load.`,
  };
}

const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);

function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}
