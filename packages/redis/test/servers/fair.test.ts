import { afterAll, beforeAll, expect, it } from 'vitest';
import { CLIENT_KINDS } from '../clients.ts';
import { describeWithRedis, RedisServer } from '../redis-server.ts';
import { runProcesses } from './fleet.ts';

/** What a process does: calls of a greedy caller wait all the time, the others pause between two calls. */
export interface FairOrders {
  readonly kind: string;
  readonly port: number;
  readonly limit: number;
  readonly waiting: number;
  readonly modest: readonly string[];
  readonly pauseMs: number;
  readonly warmUpMs: number;
  readonly runMs: number;
}

/** What it reports. */
export interface FairReport {
  readonly greedy: number;
  readonly modest: readonly { readonly passed: number; readonly latestMs: number }[];
  readonly storeErrors: number;
}

let server: RedisServer;
beforeAll(async () => {
  server = await RedisServer.start();
});
afterAll(() => server.stop());

const LIMIT = 100;
const RUN_MS = 10_000;
const WARM_UP_MS = 2000;
const PAUSE_MS = 200;

describeWithRedis('a caller with 100 waiting calls in each of three processes', () => {
  it.each(CLIENT_KINDS)(
    'leaves ten modest callers what they ask for: %s',
    async (kind) => {
      const processes: FairOrders[] = [0, 1, 2].map((process) => ({
        ...{ kind, port: server.port, limit: LIMIT, waiting: 100 },
        modest: Array.from({ length: 10 }, (_, i) => `modest ${i}`).filter(
          (_, i) => i % 3 === process,
        ),
        ...{ pauseMs: PAUSE_MS, warmUpMs: WARM_UP_MS, runMs: RUN_MS },
      }));
      const reports = await runProcesses<FairReport>('fair-worker.ts', processes);
      const modest = reports.flatMap((report) => report.modest);
      const greedy = reports.reduce((sum, report) => sum + report.greedy, 0);
      const asked = modest.map(({ passed }) => passed);
      const all = greedy + asked.reduce((sum, passed) => sum + passed, 0);
      const latestMs = Math.max(...modest.map((each) => each.latestMs));
      console.log(
        `${kind}: greedy ${greedy}, modest ${asked.join(' ')}, ${(all / RUN_MS) * 1000}/s; longest wait ${latestMs.toFixed(0)} ms`,
      );
      expect(reports.map(({ storeErrors }) => storeErrors)).toEqual([0, 0, 0]);
      // In order of arrival each of their calls would wait for 300 others, for three seconds.
      const turnMs = (300 / LIMIT) * 1000 + PAUSE_MS;
      const without = (RUN_MS - WARM_UP_MS) / turnMs;
      for (const passed of asked) expect(passed).toBeGreaterThan(4 * without);
      // Their share is 1000 / 11 each per second, and they ask for less: none gets less than the others.
      expect(Math.min(...asked)).toBeGreaterThan(0.7 * Math.max(...asked));
      expect(all).toBeGreaterThan((0.93 * LIMIT * RUN_MS) / 1000);
      expect(all).toBeLessThanOrEqual((LIMIT * RUN_MS) / 1000 + LIMIT);
    },
    60_000,
  );
});
