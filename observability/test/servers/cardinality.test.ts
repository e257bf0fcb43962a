import { systemClock } from '@temper/core';
import { parserCraftHardening } from '@temper/parsercraft-handlers';
import { keyed, tokenBucket } from '@temper/ratelimit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const MILLION = 1_000_000;

describe('metric cardinality', () => {
  let telemetry: InMemoryTelemetry;
  const series = async (): Promise<number> =>
    [...(await telemetry.metrics()).values()].reduce(
      (sum, { dataPoints }) => sum + dataPoints.length,
      0,
    );

  beforeAll(() => {
    telemetry = new InMemoryTelemetry({ traces: false, logs: false });
  });
  afterAll(() => telemetry.close());

  it('does not grow with a million distinct keys, users and packages', async () => {
    const limiter = keyed({
      template: tokenBucket({ name: 'clients', limit: 10 }),
      maxKeys: 10_000,
    });
    const hardening = parserCraftHardening(
      {
        ast: { generateCode: () => 'int x;', inferTypes: () => ({}), probe: '' },
        protocols: { check: () => ({}), probe: '' },
        registry: {
          fetchPackage: (name) => {
            if (name.endsWith('7')) throw Object.assign(new Error('not here'), { status: 404 });
            return { name };
          },
          probe: () => undefined,
        },
        lsp: { request: () => 'answer', probe: () => undefined },
      },
      {
        clock: systemClock,
        settings: {
          limiters: { registry_query: { limit: 1e9, burst: 1e9 } },
          cache: { maxPackages: 1000 },
        },
      },
    );
    const some = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n++) {
        limiter.tryAcquire({ key: `user-${n}` });
        await hardening.registry
          .fetchPackage(`package-${n}`, '^1.0.0', { actor: `user-${n}` })
          .catch(() => undefined);
      }
    };
    await some(0, 20_000); // above every bound, so that evictions have started
    const before = await series();
    await some(20_000, MILLION);
    expect(await series()).toBe(before);
    expect(before).toBeGreaterThan(50);
    expect(before).toBeLessThan(400);
    await hardening.shutdown();
  }, 300_000);
});
