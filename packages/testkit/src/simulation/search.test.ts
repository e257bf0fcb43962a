import { describe, expect, it } from 'vitest';
import type { SimulatedExecutor, SimulationOptions } from './options.ts';
import { findFailingSeed, shrink } from './search.ts';
import { simulate } from './simulate.ts';

/** Fails each call that comes while another one runs. */
function oneAtATime(): SimulatedExecutor {
  let running = 0;
  return {
    execute: async (operation) => {
      if (running > 0) throw new Error('busy');
      running++;
      try {
        return await operation({ signal: new AbortController().signal });
      } finally {
        running--;
      }
    },
  };
}

const failed = ({ before }: { before: { ends: { failed: number } } }) =>
  before.ends.failed > 0 ? `${before.ends.failed} calls failed` : undefined;

describe('findFailingSeed', () => {
  it('finds a seed that fails, and makes its scenario smaller', async () => {
    const scenario = (seed: number): SimulationOptions => ({
      pipeline: oneAtATime,
      callers: { perSecond: seed === 3 ? 8 : 0.001, abortShare: 0.1, options: () => ({ cost: 2 }) },
      network: { duplication: 0.1 },
      foreignPromises: 0.1,
      durationMs: 64_000,
      events: [{ atMs: 10, run: () => {} }],
    });
    const failing = await findFailingSeed({ seeds: 10, scenario, check: failed });
    expect(failing?.seed).toBe(3);
    expect(failing?.problem).toMatch(/^\d+ calls failed$/);
    const { callers = {}, durationMs = 0, events, network, foreignPromises } = failing!.scenario;
    expect([network, foreignPromises, callers.abortShare, callers.options]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    expect(events).toEqual([]);
    expect(durationMs).toBeLessThan(64_000);
    expect(failing!.report.trace.length).toBeLessThan(100);
    expect((await simulate(failing!.scenario)).trace).toEqual(failing!.report.trace);
  });

  it('finds nothing where nothing fails, and begins with the seed it is given', async () => {
    const seen: number[] = [];
    const scenario = (seed: number): SimulationOptions => {
      seen.push(seed);
      return { pipeline: oneAtATime, callers: { perSecond: 0.01 }, durationMs: 1000 };
    };
    expect(await findFailingSeed({ seeds: 3, from: 5, scenario, check: failed })).toBeUndefined();
    expect(seen).toEqual([5, 6, 7]);
  });
});

describe('shrink', () => {
  it('takes the first smaller scenario that fails, until none does', async () => {
    const smaller = (n: number): number[] => [Math.floor(n / 2), n - 1].filter((one) => one < n);
    expect(await shrink(1000, smaller, async (n) => n >= 37)).toBe(37);
    expect(await shrink(5, smaller, async () => false)).toBe(5);
  });

  it('ends after 200 tries', async () => {
    let tries = 0;
    const fails = async (): Promise<boolean> => {
      tries++;
      return true;
    };
    await shrink(0, (n) => [n + 1], fails);
    expect(tries).toBe(200);
  });
});
