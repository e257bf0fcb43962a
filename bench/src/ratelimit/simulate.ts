import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { COLUMNS, fleetTable } from './simulation/fleet-table.ts';
import { FLEETS } from './simulation/fleets.ts';
import { plot } from './simulation/plot.ts';
import { type Run, type Scenario, simulate } from './simulation/scenario.ts';
import { CHANGING_CAPACITY, COSTLY_REFUSALS } from './simulation/scenarios.ts';
import { adaptive, fixed, throttled, unlimited } from './simulation/strategies.ts';

/** The compared strategies per scenario. Tests check the same scenarios. */
export const COMPARISONS: readonly {
  readonly file: string;
  readonly title: string;
  readonly scenario: Scenario;
  readonly strategies: readonly Parameters<typeof simulate>[1][];
}[] = [
  {
    file: 'adaptive-concurrency.svg',
    title: 'Adaptive concurrency at twice the capacity of a server that changes',
    scenario: CHANGING_CAPACITY,
    strategies: [
      unlimited,
      fixed(350),
      adaptive('gradient', {}),
      adaptive('aimd', { algorithm: 'aimd', latencyThresholdMs: 500 }),
    ],
  },
  {
    file: 'throttle.svg',
    title: 'Client-side throttling before a server whose refusals cost it work',
    scenario: COSTLY_REFUSALS,
    strategies: [unlimited, fixed(60), throttled(1.1, 5000)],
  },
  {
    file: 'fleet.svg',
    title: '200 clients with a limit each, at twice the capacity, which then halves',
    scenario: FLEETS['capacity halves, queues']!,
    strategies: [
      'Netflix gradient2',
      'failsafe-go',
      'Netflix Vegas',
      'adaptiveConcurrency, gradient',
    ].map((column) => COLUMNS[column]!),
  },
];

/** Runs every strategy of a comparison. Yields after each, so that its memory can be freed. */
export async function compare(comparison: (typeof COMPARISONS)[number]): Promise<Run[]> {
  const runs: Run[] = [];
  for (const strategy of comparison.strategies) {
    runs.push(simulate(comparison.scenario, strategy));
    await new Promise((resolve) => setImmediate(resolve));
  }
  return runs;
}

function table(scenario: Scenario, runs: readonly Run[]): string {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  const heads = scenario.phases.map(
    ({ workers, serviceMs, load }) => `${workers} × ${serviceMs} ms, load ${load}`,
  );
  const rows = runs.map((run) => [run.name, percent(run.share), ...run.shares.map(percent)]);
  return [
    ['goodput / capacity', 'all', ...heads],
    ['---', ...heads.map(() => '---'), '---'],
    ...rows,
  ]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

/** Replaces the table of the page. */
async function writeFleets(): Promise<void> {
  const file = join(import.meta.dirname, '../../LIMITS.md');
  const page = await readFile(file, 'utf8');
  await writeFile(file, page.replace(/^\|[\s\S]*\|$/m, fleetTable()));
}

if (import.meta.main) {
  await writeFleets();
  const folder = join(import.meta.dirname, '../../plots');
  await mkdir(folder, { recursive: true });
  for (const comparison of COMPARISONS) {
    const runs = await compare(comparison);
    await writeFile(
      join(folder, comparison.file),
      plot(comparison.title, comparison.scenario, runs),
    );
    console.log(`${comparison.title}\n\n${table(comparison.scenario, runs)}\n`);
  }
}
