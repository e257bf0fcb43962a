import { CLIENTS, FLEETS } from './fleets.ts';
import { FailsafeLimit } from './rivals/failsafe.ts';
import { Gradient2 } from './rivals/gradient2.ts';
import { rival } from './rivals/rival.ts';
import { Vegas } from './rivals/vegas.ts';
import { type Run, type Scenario, simulate } from './scenario.ts';
import { adaptive, fleet, type Make, throttled, unlimited } from './strategies.ts';

/** What each of the clients of a fleet uses, by the heading of its column. All but the last are defaults. */
export const COLUMNS: Readonly<Record<string, Make>> = {
  'no limit': unlimited,
  'adaptiveConcurrency, gradient': fleet(CLIENTS, adaptive('gradient', {})),
  'adaptiveConcurrency, aimd': fleet(CLIENTS, adaptive('aimd', { algorithm: 'aimd' })),
  'Netflix gradient2': fleet(
    CLIENTS,
    rival('gradient2', () => new Gradient2()),
  ),
  'Netflix Vegas': fleet(
    CLIENTS,
    rival('Vegas', (random) => new Vegas(random)),
  ),
  'failsafe-go': fleet(
    CLIENTS,
    rival('failsafe-go', () => new FailsafeLimit()),
  ),
  throttle: fleet(CLIENTS, throttled(2, 20_000)),
  'throttle, multiplier 1.1 in 5 s': fleet(CLIENTS, throttled(1.1, 5000)),
};

/** Answers in time as a share of what was asked for and could be answered. */
export function goodput({ phases }: Scenario, { seconds }: Pick<Run, 'seconds'>): number {
  const loads = phases.flatMap(({ seconds: count, load }) => Array<number>(count).fill(load));
  let got = 0;
  let most = 0;
  seconds.forEach((one, i) => {
    got += one.goodput;
    most += one.capacity * Math.min(1, loads[i]!);
  });
  return got / most;
}

/** The first ten seconds of a run. */
export function coldStart(run: Run): Pick<Run, 'seconds'> {
  return { seconds: run.seconds.slice(0, 10) };
}

/** One cell: the whole run, and its first ten seconds. */
export function cell(scenario: Scenario, run: Run): string {
  const percent = (share: number): string => (share * 100).toFixed(0);
  return `${percent(goodput(scenario, run))} (${percent(goodput(scenario, coldStart(run)))})`;
}

/** Goodput of every strategy in every scenario, as a Markdown table. */
export function fleetTable(): string {
  const names = Object.keys(COLUMNS);
  const rows = Object.entries(FLEETS).map(([name, scenario]) => [
    name,
    ...names.map((column) => cell(scenario, simulate(scenario, COLUMNS[column]!))),
  ]);
  const head = [
    ['server', ...names],
    ['---', ...names.map(() => '---:')],
  ];
  return [...head, ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}
