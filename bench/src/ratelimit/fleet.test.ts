import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { COLUMNS, cell, coldStart, goodput } from './simulation/fleet-table.ts';
import { FLEETS } from './simulation/fleets.ts';
import { simulate } from './simulation/scenario.ts';

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
