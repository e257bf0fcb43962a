import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COLUMNS, cell, coldStart, goodput } from './simulation/fleet-table.ts';
import { CLIENTS, FLEETS } from './simulation/fleets.ts';
import { simulate } from './simulation/scenario.ts';
import { fleet, throttled } from './simulation/strategies.ts';

const PATIENCE = 120_000;
const OURS = 'adaptiveConcurrency, gradient';
const page = readFileSync(join(import.meta.dirname, '../../LIMITS.md'), 'utf8');

/** A cell of the table of the page. */
function published(server: string, column: string): string | undefined {
  const rows = page.split('\n').filter((line) => line.startsWith('|'));
  const cells = (row = ''): string[] => row.split('|').map((one) => one.trim());
  return cells(rows.find((row) => cells(row)[1] === server))[cells(rows[0]).indexOf(column)];
}

describe('200 independent clients with an adaptive limit each', () => {
  it.each(Object.keys(FLEETS))(
    'keep 94 %% goodput from a cold start, and the published figure: %s',
    (server) => {
      const scenario = FLEETS[server]!;
      const run = simulate(scenario, COLUMNS[OURS]!);
      expect(goodput(scenario, run)).toBeGreaterThan(server.includes('low rates') ? 0.94 : 0.95);
      expect(goodput(scenario, coldStart(run))).toBeGreaterThan(
        server === 'low rates, queues' ? 0.5 : server.includes('low rates') ? 0.85 : 0.95,
      );
      expect(published(server, OURS)).toBe(cell(scenario, run));
    },
    PATIENCE,
  );

  it.each([2, 3])(
    'keep 95 %% when the capacity halves, with seed %i',
    (seed) => {
      const scenario = { ...FLEETS['capacity halves, queues']!, seed };
      expect(goodput(scenario, simulate(scenario, COLUMNS[OURS]!))).toBeGreaterThan(0.95);
    },
    PATIENCE,
  );

  it.each(['Netflix Vegas', 'throttle', 'failsafe-go', 'Netflix gradient2'])(
    'do better at low rates than with %s, whose figure is the published one',
    (column) => {
      const server = 'low rates, queues';
      const run = simulate(FLEETS[server]!, COLUMNS[column]!);
      expect(goodput(FLEETS[server]!, run)).toBeLessThan(0.5);
      expect(published(server, column)).toBe(cell(FLEETS[server]!, run));
    },
    PATIENCE,
  );
});

describe('200 independent clients with a throttle each', () => {
  const readme = readFileSync(
    join(import.meta.dirname, '../../../packages/ratelimit/README.md'),
    'utf8',
  );
  const quarter = fleet(CLIENTS, throttled(2, 20_000, 250));
  const percent = (server: string, make: Parameters<typeof simulate>[1]): number =>
    Math.round(100 * goodput(FLEETS[server]!, simulate(FLEETS[server]!, make)));

  it(
    'keep what the README says before a server that queues, with the defaults and without a slow call',
    () => {
      const figures = (column: string): number[] =>
        Object.keys(FLEETS)
          .filter((server) => server.endsWith('queues') && !server.startsWith('below'))
          .map((server) => Number.parseInt(published(server, column) ?? '', 10));
      const span = (of: number[]): string => `${Math.min(...of)} to ${Math.max(...of)} %`;
      expect(readme).toContain(`it keeps ${span(figures('throttle'))} with the defaults`);
      expect(readme).toContain(
        `and ${span(figures('throttle, multiplier 1.1 in 5 s'))} with \`multiplier: 1.1\``,
      );
      const server = 'heavy tail, queues';
      expect(published(server, 'throttle')).toBe(
        cell(FLEETS[server]!, simulate(FLEETS[server]!, COLUMNS.throttle!)),
      );
    },
    PATIENCE,
  );

  it(
    'keep what the page says with a quarter of the time that calls have as the longest answer',
    () => {
      const full = percent('twice the capacity, queues', quarter);
      const low = percent('low rates, queues', quarter);
      const tail = percent('heavy tail, queues', quarter);
      const refuses = percent('twice the capacity, refuses', quarter);
      expect(page).toContain(
        `it keeps ${full} % at twice the capacity, ${low} % at low rates and ${tail} % with a heavy tail`,
      );
      expect(page).toContain(`and ${refuses} % before a server that refuses`);
      expect(Math.min(full, low, tail)).toBeGreaterThanOrEqual(70);
      expect(percent('below capacity, queues', quarter)).toBe(100);
    },
    PATIENCE,
  );
});
