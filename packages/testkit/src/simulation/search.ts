import type { SimulationOptions } from './options.ts';
import type { SimulationReport } from './report.ts';
import { simulate } from './simulate.ts';

/** Most simulations that one shrinking runs. */
const MAX_TRIES = 200;

/**
 * Makes a failing scenario smaller: of the smaller ones that still fail it takes the first, and goes on from
 * there until none does.
 *
 * @param smaller - the next smaller scenarios, those that save most first
 * @returns the smallest one that was found
 */
export async function shrink<S>(
  scenario: S,
  smaller: (scenario: S) => Iterable<S>,
  fails: (scenario: S) => Promise<boolean>,
): Promise<S> {
  let smallest = scenario;
  let tries = 0;
  for (let found = true; found; ) {
    found = false;
    for (const next of smaller(smallest)) {
      if (++tries > MAX_TRIES) return smallest;
      if (!(await fails(next))) continue;
      smallest = next;
      found = true;
      break;
    }
  }
  return smallest;
}

/** Settings of {@link findFailingSeed}. */
export interface SeedSearch {
  /** How many seeds are tried. */
  readonly seeds: number;
  /**
   * The first seed.
   *
   * @defaultValue 1
   */
  readonly from?: number;
  /** What is simulated. The seed of the options is set by the search. */
  readonly scenario: (seed: number) => SimulationOptions;
  /** Says what is wrong with a report, or nothing. */
  readonly check: (report: SimulationReport) => string | undefined;
}

/** A seed for which the check fails. */
export interface FailingSeed {
  readonly seed: number;
  /** What the check said of {@link report}. */
  readonly problem: string;
  /** The smallest scenario found that fails: fewer callers, a shorter time, no aborts, a perfect network. */
  readonly scenario: SimulationOptions;
  /** Of that scenario. `simulate(scenario)` gives it again. */
  readonly report: SimulationReport;
}

/**
 * Simulates one seed after the other until the check fails, and makes that scenario smaller.
 *
 * @returns `undefined` when the check fails for no seed
 */
export async function findFailingSeed(search: SeedSearch): Promise<FailingSeed | undefined> {
  const { seeds, from = 1, scenario, check } = search;
  for (let seed = from; seed < from + seeds; seed++) {
    const options = { ...scenario(seed), seed };
    if (check(await simulate(options)) === undefined) continue;
    const fails = async (smaller: SimulationOptions): Promise<boolean> =>
      check(await simulate(smaller)) !== undefined;
    const smallest = await shrink(options, smallerScenarios, fails);
    const report = await simulate(smallest);
    return { seed, problem: check(report) ?? '', scenario: smallest, report };
  }
  return undefined;
}

function* smallerScenarios(options: SimulationOptions): Iterable<SimulationOptions> {
  const { callers = {}, network, foreignPromises } = options;
  if (network !== undefined) yield without(options, 'network');
  if (foreignPromises !== undefined) yield without(options, 'foreignPromises');
  if (callers.abortShare !== undefined)
    yield { ...options, callers: without(callers, 'abortShare') };
  if (callers.options !== undefined) yield { ...options, callers: without(callers, 'options') };
  if (options.events !== undefined) {
    for (const left of options.events)
      yield { ...options, events: options.events.filter((event) => event !== left) };
  }
  const { durationMs } = options;
  if (durationMs !== undefined && durationMs > 1000)
    yield { ...options, durationMs: durationMs / 2 };
  const { perSecond = 20 } = callers;
  if (typeof perSecond === 'number' && perSecond > 1)
    yield { ...options, callers: { ...callers, perSecond: perSecond / 2 } };
}

function without<O extends object>(options: O, key: keyof O): O {
  const { [key]: _, ...rest } = options;
  return rest as O;
}
