import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { COLUMNS, fleetTable } from './simulation/fleet-table.ts';
import { FLEETS } from './simulation/fleets.ts';
import { plot } from './simulation/plot.ts';
import { type Run, type Scenario, simulate } from './simulation/scenario.ts';
import { CHANGING_CAPACITY, COSTLY_REFUSALS } from './simulation/scenarios.ts';
import { adaptive, fixed, throttled, unlimited } from './simulation/strategies.ts';
import { GATES } from './week/gates.ts';
import { cells, plotWeek, runWeeks, verdict, weekTable } from './week/week-table.ts';

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

/** Replaces a part of the page. */
async function writePart(name: string, content: string): Promise<void> {
  const file = join(import.meta.dirname, '../../LIMITS.md');
  const page = await readFile(file, 'utf8');
  const marked = new RegExp(`(<!-- ${name} -->)[\\s\\S]*(<!-- /${name} -->)`);
  await writeFile(file, page.replace(marked, `$1\n\n${content}\n\n$2`));
}

if (import.meta.main) {
  const folder = join(import.meta.dirname, '../../plots');
  await mkdir(folder, { recursive: true });
  const weeks = Object.fromEntries(Object.keys(GATES).map((column) => [column, runWeeks(column)]));
  const columns = Object.entries(weeks).map(([column, runs]) => [column, cells(runs)] as const);
  await writePart('weeks', weekTable(weeks));
  await writePart('weeks-verdict', verdict(Object.fromEntries(columns)));
  await writeFile(join(folder, 'week.svg'), plotWeek(weeks['predictiveLimit']!['events']!));
  await writePart('fleets', fleetTable());
  for (const comparison of COMPARISONS) {
    const runs = await compare(comparison);
    await writeFile(
      join(folder, comparison.file),
      plot(comparison.title, comparison.scenario, runs),
    );
    console.log(`${comparison.title}\n\n${table(comparison.scenario, runs)}\n`);
  }
}
