import { colorOf, figure } from '../simulation/plot.ts';
import { CEILING, GATES } from './gates.ts';
import { answered, isWithin, runWeek, SAMPLE_MS, type WeekRun } from './run-week.ts';
import { DAY_MS, type Hours, type Week } from './traffic.ts';

const day = (name: number, from: number, to: number): Hours => ({
  from: name * 24 + from,
  to: name * 24 + to,
});
/** A client goes wild, once for one hour and once for six. */
const HOUR = day(2, 1, 2);
const NIGHT = day(4, 0, 6);
/** What it left in the queue counts: until five, and until ten. */
const AFTER_HOUR = day(2, 1, 5);
const AFTER_NIGHT = day(4, 0, 10);
const CROWD = day(5, 20, 23);

/** The weeks that are compared. */
export const WEEKS: Readonly<Record<string, Week>> = {
  events: { runaway: [HOUR, NIGHT], crowd: { ...CROWD, factor: 5 } },
  growing: { growth: 1.05 },
  earlier: { earlier: 6 },
};

/** Rows of the table: hours of a week. */
const ROWS: Readonly<Record<string, { readonly week: string; within(hour: number): boolean }>> = {
  'usual hours': {
    week: 'events',
    within: (hour) => [AFTER_HOUR, AFTER_NIGHT, CROWD].every((one) => !isWithin(hour, one)),
  },
  'runaway client, one hour': { week: 'events', within: (hour) => isWithin(hour, AFTER_HOUR) },
  'runaway client, six hours': { week: 'events', within: (hour) => isWithin(hour, AFTER_NIGHT) },
  'crowd on Saturday evening': { week: 'events', within: (hour) => isWithin(hour, CROWD) },
  'a week that grows by 5 % a day': { week: 'growing', within: () => true },
  'a week six hours earlier': { week: 'earlier', within: () => true },
};

/** Runs of a week with each gate. */
export type Runs = Readonly<Record<string, WeekRun>>;

/** The cells of a column by row, from its runs by week. Rows of weeks that did not run are left out. */
export function cells(runs: Runs): Record<string, string> {
  const percent = (share: number): string => (share * 100).toFixed(share > 0.99 ? 1 : 0);
  return Object.fromEntries(
    Object.entries(ROWS).flatMap(([row, { week, within }]) => {
      const run = runs[week];
      if (run === undefined) return [];
      const of = (caller: 'search' | 'batch'): string => percent(answered(run, caller, within));
      return [[row, `${of('search')} / ${of('batch')}`]];
    }),
  );
}

/** Runs all weeks with a gate. */
export function runWeeks(column: string): Runs {
  return Object.fromEntries(
    Object.entries(WEEKS).map(([name, week]) => [name, runWeek(week, GATES[column]!)]),
  );
}

/** Search and batch calls answered in time, in percent, as a Markdown table. */
export function weekTable(all: Readonly<Record<string, Runs>>): string {
  const columns = Object.keys(all);
  const filled = columns.map((column) => cells(all[column]!));
  const rows = Object.keys(ROWS).map((row) => [row, ...filled.map((column) => column[row]!)]);
  return [['search / batch', ...columns], ['---', ...columns.map(() => '---:')], ...rows]
    .map((line) => `| ${line.join(' | ')} |`)
    .join('\n');
}

/** What the table says, from the cells of the columns by their headings. */
export function verdict(
  columns: Readonly<Record<string, Readonly<Record<string, string>>>>,
): string {
  const of = (column: string, row: string, caller: 'search' | 'batch'): string =>
    columns[column]![row]!.split(' / ')[caller === 'search' ? 0 : 1]!;
  const three = (row: string, caller: 'search' | 'batch'): string =>
    `${of('predictiveLimit', row, caller)} %, with the plain limit ${of('plain limit', row, caller)} %, with \`adaptiveConcurrency\` ${of('adaptiveConcurrency', row, caller)} %`;
  return [
    `- A client of search runs wild for an hour at night. Of the jobs until five, ${three('runaway client, one hour', 'batch')} are answered in time. When it does so for six hours, the plain limit is in force long before their end: ${three('runaway client, six hours', 'batch')}.`,
    `- The users of search share its lower limit with the client that calls in their name: in that hour and the three after it, ${three('runaway client, one hour', 'search')} are answered.`,
    `- It harms a crowd: on Saturday evening there is capacity for all, and of search ${three('crowd on Saturday evening', 'search')} are answered.`,
  ].join('\n');
}

/** The week of events: what is asked for, and the limit, cut off at twice the ceiling. */
export function plotWeek(run: WeekRun): string {
  const most = 2 * CEILING;
  const marks = [
    'Mon',
    'Tue',
    'Wed: runaway client',
    'Thu',
    'Fri: runaway client',
    'Sat: crowd',
    'Sun',
  ];
  return figure(
    'A predictive limit in a week with a runaway client and a crowd',
    ['calls of search per minute', 'limit'],
    [
      {
        title: `Asked for, cut off at ${most}, and the limit (the outline is the ceiling)`,
        ceiling: run.limits.map(() => CEILING),
        lines: [
          { color: colorOf(0), values: run.asked.map((one) => Math.min(most, one)) },
          { color: colorOf(1), values: run.limits },
        ],
      },
    ],
    marks.map((label, i) => ({ at: (i * DAY_MS) / SAMPLE_MS, label })),
  );
}
