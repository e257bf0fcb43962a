import { beforeAll, describe, expect, it } from 'vitest';
import { buildNext } from '../../src/next-build.ts';
import { cellsOf } from '../../src/results.ts';
import { run } from '../../src/run.ts';

beforeAll(() => buildNext(), 300_000);

describe('SIGTERM with 200 requests in flight', () => {
  const cells = cellsOf(false).filter(({ tool }) => tool === '@temper/shutdown');

  it.each(cells.map((cell) => [cell.row, cell.protocol, cell] as const))(
    'loses no request of %s, %s',
    async (_row, protocol, cell) => {
      // Clients stay away as they are told, as behind a load balancer, so that no race of theirs counts.
      const { lost, reasons, end, inFlight } = await run(cell, 'go');
      if (protocol === 'WebSocket') {
        // A message may cross the close frame, which no server can prevent. Nothing else is lost.
        expect(Object.keys(reasons).filter((reason) => !reason.includes('1001'))).toEqual([]);
        expect(lost).toBeLessThan(inFlight / 10);
      } else expect({ lost, reasons }).toEqual({ lost: 0, reasons: {} });
      expect(end).toBe('0');
      expect(inFlight).toBeGreaterThanOrEqual(190);
    },
    60_000,
  );

  it.each(cells.filter(({ row }) => row === 'Node').map((cell) => [cell.protocol, cell] as const))(
    'counts what a service that exits at once loses, %s',
    async (_protocol, cell) => {
      const { lost, sent } = await run({ ...cell, tool: 'process.exit()' }, 'reconnect');
      expect(lost).toBeGreaterThan(100);
      expect(sent).toBeGreaterThan(lost);
    },
    60_000,
  );
});
