import { shrink } from '@temper/testkit/simulation';
import { KIND_NAMES, type KindName } from './kinds.ts';
import { type Reached, reachedBy } from './reached.ts';
import { drawScenario, isRefused, type Result, run, type Scenario } from './scenario.ts';

/** A scenario that fails. */
interface Failure {
  readonly scenario: Scenario;
  readonly problems: readonly string[];
  /** The smallest scenario found that fails. */
  readonly smallest: Scenario;
  /** Whether the scenario gave the same trace when it was run again. */
  readonly replayed: boolean;
}

/** What was tried. */
export interface Tally {
  readonly seeds: number;
  /** Pipelines that were refused at construction, because their order can never work. */
  readonly refused: number;
  readonly calls: number;
  readonly requests: number;
  readonly failures: number;
  readonly kinds: Readonly<Record<KindName, number>>;
  readonly reached: Reached;
}

interface Search {
  readonly from: number;
  readonly seeds: number;
  readonly onFailure: (failure: Failure) => void;
}

/** Each so many seeds one is run again, and has to give the same trace. */
const REPLAYED = 20;

/** Simulates the scenario of each seed, checks it, and makes those that fail smaller. */
export async function search({ from, seeds, onFailure }: Search): Promise<Tally> {
  const kinds = Object.fromEntries(KIND_NAMES.map((kind) => [kind, 0])) as Record<KindName, number>;
  const tally = { seeds, refused: 0, calls: 0, requests: 0, failures: 0 };
  const reached: Record<string, number> = {};
  for (let seed = from; seed < from + seeds; seed++) {
    const scenario = drawScenario(seed);
    if (isRefused(scenario)) {
      tally.refused++;
      continue;
    }
    const result = await run(scenario);
    for (const { kind } of scenario.layers) kinds[kind]++;
    for (const { type } of result.report.trace) {
      if (type === 'call') tally.calls++;
      else if (type === 'request') tally.requests++;
    }
    for (const what of reachedBy(result.prepared)) reached[what] = (reached[what] ?? 0) + 1;
    const mustReplay = result.problems.length > 0 || seed % REPLAYED === 0;
    const replayed = !mustReplay || isSame(result, await run(scenario));
    if (result.problems.length === 0 && replayed) continue;
    tally.failures++;
    const problems = replayed ? result.problems : [...result.problems, 'another trace'];
    onFailure({ scenario, problems, smallest: await smallestOf(scenario, problems), replayed });
  }
  return { ...tally, kinds, reached: reached as Reached };
}

/** Whether two runs went the same way. */
export function isSame(a: Result, b: Result): boolean {
  return JSON.stringify(a.report.trace) === JSON.stringify(b.report.trace);
}

/** The smallest scenario found that has the first of these problems, in the same words without their figures. */
export function smallestOf(scenario: Scenario, problems: readonly string[]): Promise<Scenario> {
  // What is said after ": {" differs with the figures.
  const words = (problem: string): string =>
    problem.replaceAll(/[\d.]+/g, '').split(': {', 1)[0] as string;
  const [first = ''] = problems;
  return shrink(scenario, smaller, async (next) => {
    if (isRefused(next)) return false;
    return (await run(next)).problems.some((problem) => words(problem) === words(first));
  });
}

function* smaller(scenario: Scenario): Iterable<Scenario> {
  const { layers } = scenario;
  if (layers.length > 1)
    for (const left of layers)
      yield { ...scenario, layers: layers.filter((layer) => layer !== left) };
  const calm: Partial<Scenario> = {
    abortShare: 0,
    clockStepMs: 0,
    duplication: 0,
    errorRate: 0,
    foreignPromises: 0,
    loss: 0,
    throwing: 0,
  };
  for (const [part, value] of Object.entries(calm))
    if (scenario[part as keyof Scenario] !== value) yield { ...scenario, [part]: value };
  if (scenario.perSecond > 1) yield { ...scenario, perSecond: scenario.perSecond / 2 };
  if (scenario.mostCost > 1) yield { ...scenario, mostCost: 1 };
  if (scenario.priorities) yield { ...scenario, priorities: false };
  if (scenario.keys > 1) yield { ...scenario, keys: 1 };
  const { outage } = scenario;
  if (outage.durationMs > 500)
    yield { ...scenario, outage: { ...outage, durationMs: outage.durationMs / 2 } };
}
