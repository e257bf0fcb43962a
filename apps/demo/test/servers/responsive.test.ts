import { describe, expect, it } from 'vitest';
import { EXPENSIVE_REQUESTS, hugeDefinition } from '../../src/drills/expensive-requests.ts';
import { json, type RunningService, runService } from './running-service.ts';

const DEFINITIONS = 40;
/** Allowed latency of liveness under load: a multiple of that of the idle service, and milliseconds besides. */
const SLOWER = { times: 4, ms: 200 } as const;

/** The longest answer to `/livez` until `during` has ended, one question after the other. */
async function slowestLiveness({ url }: RunningService, during: Promise<unknown>): Promise<number> {
  let [slowest, isOver] = [0, false];
  const end = during.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const since = performance.now();
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    slowest = Math.max(slowest, performance.now() - since);
  }
  await end;
  return slowest;
}

describe('the event loop of the service', () => {
  it(`answers liveness while ${DEFINITIONS} definitions of 64 KiB are read`, async () => {
    const service = await runService();
    const bodies = Array.from({ length: DEFINITIONS }, (_, at) => ({
      source: 'print(1)',
      definition: hugeDefinition(at),
    }));
    await service.post('/v1/compile', { source: 'print(1)' });
    // This process and its machine are a part of what is measured.
    const idle = await slowestLiveness(
      service,
      new Promise((resolve) => setTimeout(resolve, 2_000)),
    );
    const answers = Promise.all(bodies.map((body) => service.post('/v1/compile', body)));
    const busy = await slowestLiveness(service, answers);
    expect(busy).toBeLessThan(Math.max(SLOWER.ms, idle * SLOWER.times));
    // Read, or turned away by the share of a client; a few are ended at their deadline while they are read.
    const statuses = new Set((await answers).map(({ status }) => status));
    expect(statuses).toContain(422);
    expect([...statuses].filter((status) => ![422, 429, 504].includes(status))).toEqual([]);
    const { breakers } = json<{ breakers: { ast_codegen: { state: string } } }>(
      await service.call({ path: '/v1/policies' }),
    );
    expect(breakers.ast_codegen.state).toBe('closed');
  });

  it('answers each of the most expensive requests, and its circuits stay closed', async () => {
    const service = await runService();
    for (const question of EXPENSIVE_REQUESTS) {
      const { status, body } = await service.call(question);
      expect([200, 404, 422], `${question.body?.slice(0, 80)}: ${body}`).toContain(status);
    }
    const { breakers } = json<{ breakers: Record<string, { state: string }> }>(
      await service.call({ path: '/v1/policies' }),
    );
    expect(new Set(Object.values(breakers).map(({ state }) => state))).toEqual(new Set(['closed']));
  });
});
