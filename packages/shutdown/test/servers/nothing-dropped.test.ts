import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Load } from './load.ts';
import { Fixture } from './processes.ts';

const RUNS = 20;

/**
 * The hardest case: no delay, so `Connection: close` is the only notice to the clients, and SIGTERM at
 * a random moment. 200 of the 260 connections are always busy; 60 are idle between requests.
 */
it.each(['node:http', 'Fastify', 'Hono'])(
  `drops none of 200 requests in flight on SIGTERM with %s, in ${RUNS} of ${RUNS} runs`,
  async (framework) => {
    const runs: object[] = [];
    for (let run = 0; run < RUNS; run++) {
      const service = new Fixture('service', { FRAMEWORK: framework });
      const port = await service.port();
      const busy = new Load({ port, workers: 200, whenTold: 'go' });
      const idling = new Load({ port, workers: 60, pauseMs: 80, whenTold: 'go' });
      await Promise.all([busy.warm(300), idling.warm(60)]);
      await sleep(Math.random() * 60);
      const inFlight = busy.inFlight;
      service.kill('SIGTERM');
      const { code } = await service.ended;
      await Promise.all([busy.done, idling.done]);
      expect(inFlight).toBeGreaterThanOrEqual(190);
      const { outcome, cutOff, left } = await service.report();
      const failures = [...busy.failures, ...idling.failures];
      runs.push({ failures, code, outcome, cutOff, left });
    }
    const well = { failures: [], code: 0, outcome: 'completed', cutOff: 0, left: 0 };
    expect(runs).toEqual(new Array(RUNS).fill(well));
  },
  180_000,
);
