import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { CEILING, GATES } from './week/gates.ts';
import { runWeek, SAMPLE_MS, type WeekRun } from './week/run-week.ts';
import { DAY_MS, HOUR_MS } from './week/traffic.ts';
import { cells, plotWeek, verdict, WEEKS } from './week/week-table.ts';

const PATIENCE = 240_000;
const read = (file: string): string =>
  readFileSync(join(import.meta.dirname, '../..', file), 'utf8');
const page = read('LIMITS.md');
const [, part = ''] = page.split('<!-- weeks -->');
const lines = part.split('\n').filter((line) => line.startsWith('|'));
const split = (line = ''): string[] => line.split('|').map((one) => one.trim());
const heads = split(lines[0]);

/** The cells of a column of the table of the page, by row. */
function published(column: string): Record<string, string> {
  const at = heads.indexOf(column);
  return Object.fromEntries(lines.slice(2).map((line) => [split(line)[1]!, split(line)[at]!]));
}

const columns = Object.fromEntries(Object.keys(GATES).map((column) => [column, published(column)]));
const of = (column: string, row: string): [search: number, batch: number] => {
  const [search, batch] = columns[column]![row]!.split(' / ').map(Number);
  return [search!, batch!];
};

describe('a limit that follows the demand', () => {
  const runs: Record<string, WeekRun> = {};

  beforeAll(() => {
    for (const column of ['plain limit', 'predictiveLimit']) {
      runs[column] = runWeek(WEEKS['events']!, GATES[column]!);
    }
  }, PATIENCE);

  it('has the published figures in the week of events, and the published plot', () => {
    for (const column of ['plain limit', 'predictiveLimit']) {
      expect(columns[column]).toMatchObject(cells({ events: runs[column]! }));
    }
    expect(read('plots/week.svg')).toBe(plotWeek(runs['predictiveLimit']!));
  });

  it('does what the page says, and the page says what the table shows', () => {
    expect(page).toContain(verdict(columns));
    const night = (column: string): number => of(column, 'runaway client, one hour')[1];
    expect(night('predictiveLimit')).toBeGreaterThan(99);
    expect(night('plain limit')).toBeLessThan(60);
    expect(night('adaptiveConcurrency')).toBeLessThan(90);
    const { limits } = runs['predictiveLimit']!;
    const from = (4 * DAY_MS) / SAMPLE_MS;
    const hours = limits.slice(from, from + (6 * HOUR_MS) / SAMPLE_MS);
    expect(hours.slice(0, 4).every((limit) => limit < CEILING / 2)).toBe(true);
    expect(hours.slice(12).every((limit) => limit === CEILING)).toBe(true);
    const crowd = (column: string): number => of(column, 'crowd on Saturday evening')[0];
    expect(crowd('plain limit')).toBeGreaterThan(98);
    expect(crowd('predictiveLimit')).toBeLessThan(80);
    for (const row of ['a week that grows by 5 % a day', 'a week six hours earlier']) {
      const [plain, predictive] = [of('plain limit', row), of('predictiveLimit', row)];
      expect(plain[0] - predictive[0]).toBeLessThanOrEqual(1);
      expect(plain[1] - predictive[1]).toBeLessThanOrEqual(1);
    }
    expect(of('predictiveLimit', 'usual hours')).toEqual(of('plain limit', 'usual hours'));
    for (const row of Object.keys(columns['predictiveLimit']!)) {
      const [, both] = of('predictiveLimit, adaptiveConcurrency', row);
      expect(both).toBeGreaterThanOrEqual(of('adaptiveConcurrency', row)[1]);
    }
  });

  it.each([2, 3])(
    'protects the jobs and harms the crowd with seed %i too',
    (seed) => {
      const run = cells({ events: runWeek(WEEKS['events']!, GATES['predictiveLimit']!, seed) });
      const [, jobs] = run['runaway client, one hour']!.split(' / ');
      const [search] = run['crowd on Saturday evening']!.split(' / ');
      expect(Number(jobs)).toBeGreaterThan(98);
      expect(Number(search)).toBeLessThan(80);
    },
    PATIENCE,
  );
});
