import { describe, expect, it } from 'vitest';
import type { SimulatedExecutor, SimulatedWorld, SimulationOptions } from './options.ts';
import { simulate } from './simulate.ts';

/** Passes each call on, and ends it by its signal and its `timeoutMs`. */
const direct = ({ clock }: SimulatedWorld): SimulatedExecutor => ({
  execute: (operation, { signal, timeoutMs = 0 } = {}) =>
    new Promise((resolve, reject) => {
      const controller = new AbortController();
      const end = (reason: unknown): void => {
        controller.abort(reason);
        reject(reason);
      };
      const onAbort = (): void => end(signal?.reason);
      signal?.addEventListener('abort', onAbort, { once: true });
      const deadline = Object.assign(new Error('too late'), { code: 'DEADLINE' });
      const timer = clock.schedule(() => end(deadline), timeoutMs);
      const settled = (): void => {
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      Promise.resolve(operation({ signal: controller.signal }))
        .then(resolve, reject)
        .finally(settled);
    }),
});

const down = { startMs: 10_000, durationMs: 10_000 };

describe('a simulation', () => {
  it('has the same trace for the same seed, and another for another', async () => {
    const options: SimulationOptions = {
      pipeline: direct,
      callers: { abortShare: 0.2 },
      network: { loss: 0.01, duplication: 0.05, latencyMs: 10 },
      dependency: { errorRate: 0.05 },
      outage: { kind: 'slow', share: 0.5, ...down },
      foreignPromises: 0.3,
    };
    const first = await simulate({ ...options, seed: 7 });
    const again = await simulate({ ...options, seed: 7 });
    const other = await simulate({ ...options, seed: 8 });
    expect(first.trace.length).toBeGreaterThan(5000);
    expect(again.trace).toEqual(first.trace);
    expect(other.trace).not.toEqual(first.trace);
  });

  it('draws the arrivals of calls alike, whatever the pipeline draws', async () => {
    const greedy = (world: SimulatedWorld): SimulatedExecutor => {
      for (let i = 0; i < 100; i++) world.random();
      return direct(world);
    };
    const calls = async (pipeline: SimulationOptions['pipeline']) =>
      (await simulate({ pipeline })).trace.filter(({ type }) => type === 'call');
    expect(await calls(greedy)).toEqual(await calls(direct));
  });

  it('tells what became of the calls before, during and after an outage', async () => {
    const report = await simulate({
      pipeline: direct,
      callers: { perSecond: 10, arrivals: 'even' },
      outage: { kind: 'error', ...down },
    });
    expect(report.before).toMatchObject({ fromMs: 0, toMs: 10_000, calls: 99, goodput: 1 });
    expect(report.during).toMatchObject({
      calls: 100,
      ends: { answered: 0, failed: 100 },
      errors: { ECONNRESET: 100 },
      goodput: 0,
    });
    expect(report.after).toMatchObject({ fromMs: 20_000, toMs: 80_000, goodput: 1 });
    expect(report.during.load).toBe(1);
    expect(report.recoveryMs).toBe(0);
    expect(report.left).toEqual({ calls: 0, timers: 0, listeners: 0 });
    const { p50, p90, p99 } = report.before.latencyMs;
    expect(p50).toBeLessThan(p90);
    expect(p90).toBeLessThanOrEqual(p99);
    expect(report.during.latencyMs.p50).toBeNaN();
  });

  it.each([
    ['hang', 1],
    ['partition', 0],
  ] as const)('has calls that are never answered during a %s', async (kind, load) => {
    const report = await simulate({ pipeline: direct, outage: { kind, ...down } });
    expect(report.during.ends.answered).toBe(0);
    expect(report.during.errors).toEqual({ DEADLINE: report.during.calls });
    expect(report.during.load).toBeCloseTo(load, 1);
    expect(report.after.goodput).toBeGreaterThan(0.99);
  });

  it('fails with the error that an outage is given', async () => {
    const error = () => Object.assign(new Error('HTTP 429'), { status: 429 });
    const report = await simulate({ pipeline: direct, outage: { kind: 'error', error, ...down } });
    expect(report.during.errors).toEqual({ 429: report.during.calls });
  });

  it('has outages that concern a share of the requests', async () => {
    const outage = { kind: 'error', share: 0.5, ...down } as const;
    const { during } = await simulate({ pipeline: direct, callers: { perSecond: 50 }, outage });
    expect(during.goodput).toBeGreaterThan(0.4);
    expect(during.goodput).toBeLessThan(0.6);
  });

  it('has several outages, and a slow one whose queue lasts beyond its end', async () => {
    const report = await simulate({
      pipeline: direct,
      callers: { perSecond: 40 },
      dependency: { maxQueue: 1000 },
      outage: [
        { kind: 'error', startMs: 5000, durationMs: 1000 },
        { kind: 'slow', startMs: 10_000, durationMs: 10_000 },
      ],
    });
    expect(report.before.toMs).toBe(5000);
    expect(report.after.fromMs).toBe(20_000);
    expect(report.phase(5000, 6000).goodput).toBe(0);
    expect(report.phase(6000, 10_000).goodput).toBeGreaterThan(0.9);
    expect(report.phase(12_000, 20_000).goodput).toBeLessThan(0.2);
    expect(report.phase(20_000, 21_000).goodput).toBeLessThan(0.95);
    expect(report.phase(25_000, 80_000).goodput).toBeGreaterThan(0.99);
  });

  it('counts goodput against the capacity of the dependency when more is asked for', async () => {
    const { before, capacity } = await simulate({
      pipeline: direct,
      callers: { perSecond: 100, timeoutMs: 10_000 },
      dependency: { workers: 2, serviceMs: 50, maxQueue: 10 },
    });
    expect(capacity).toBe(40);
    expect(before.goodput).toBeGreaterThan(0.9);
    expect(before.ends.answered / before.calls).toBeLessThan(0.5);
    expect(before.errors[503]).toBe(before.ends.failed);
  });

  it('works on requests whose caller has gone, unless it drops them', async () => {
    const goodput = async (dropsCancelled: boolean): Promise<number> => {
      const dependency = { workers: 1, serviceMs: 100, maxQueue: 1000, dropsCancelled };
      const report = await simulate({ pipeline: direct, callers: { timeoutMs: 500 }, dependency });
      return report.phase(30_000, 60_000).goodput;
    };
    expect(await goodput(false)).toBeLessThan(0.05);
    expect(await goodput(true)).toBeGreaterThan(0.3);
  });

  it('loses and doubles messages', async () => {
    const report = await simulate({
      pipeline: direct,
      callers: { perSecond: 100 },
      network: { loss: 0.05, duplication: 0.2 },
    });
    const { calls, load, errors } = report.before;
    expect(calls).toBeGreaterThan(5000);
    expect(load).toBeGreaterThan(1.1); // 1.2 of 95 %
    expect(load).toBeLessThan(1.18);
    expect(errors.DEADLINE).toBeGreaterThan(0.05 * calls);
  });

  it('aborts a share of the calls, and leaves them out of the goodput', async () => {
    const report = await simulate({
      pipeline: direct,
      callers: { abortShare: 0.5 },
      dependency: { serviceMs: 1000, workers: 100 },
    });
    expect(report.before.ends.aborted).toBeGreaterThan(100);
    expect(report.before.goodput).toBeGreaterThan(0.7);
  });

  it('gives calls the options of their callers', async () => {
    const keys = new Set<string | undefined>();
    const pipeline = (world: SimulatedWorld): SimulatedExecutor => ({
      execute: (operation, options) => {
        keys.add(options?.key);
        return direct(world).execute(operation, options);
      },
    });
    const options = (call: number) => ({ key: `user ${call % 3}`, cost: 2 });
    await simulate({ pipeline, callers: { options } });
    expect(keys).toEqual(new Set(['user 0', 'user 1', 'user 2']));
  });

  it('does not count what is no answer of the dependency, or an old one', async () => {
    const stale = ({ clock }: SimulatedWorld): SimulatedExecutor => {
      let first: Promise<unknown> | undefined;
      return {
        execute: (operation, options) => {
          first ??= direct({ clock } as SimulatedWorld).execute(operation, options);
          return first as never;
        },
      };
    };
    const old = await simulate({ pipeline: stale, durationMs: 10_000 });
    expect(old.before.ends.degraded).toBeGreaterThan(100);
    expect(old.before.ends.answered).toBeLessThan(10);
    const fresh = await simulate({
      pipeline: stale,
      durationMs: 10_000,
      callers: { freshMs: 20_000 },
    });
    expect(fresh.before.goodput).toBe(1);
    const made = await simulate({ pipeline: () => ({ execute: async () => 'else' as never }) });
    expect(made.before.ends.degraded).toBe(made.before.calls);
  });

  it('counts an answer that comes too late as late', async () => {
    const patient: SimulatedExecutor = {
      execute: async (operation) => operation({ signal: new AbortController().signal }),
    };
    const dependency = { serviceMs: 5000, workers: 1000 };
    const report = await simulate({ pipeline: () => patient, dependency });
    expect(report.before.ends.late).toBeGreaterThan(500);
  });

  it('tells how long it takes until goodput has recovered for good', async () => {
    const closedUntil =
      (atMs: number) =>
      (world: SimulatedWorld): SimulatedExecutor => {
        const startedAt = world.clock.monotonic();
        return {
          execute: async (operation, options) => {
            const elapsed = world.clock.monotonic() - startedAt;
            if (elapsed > 10_000 && elapsed < atMs) throw new Error('closed');
            return direct(world).execute(operation, options);
          },
        };
      };
    const outage = { kind: 'error', ...down } as const;
    const after7s = await simulate({ pipeline: closedUntil(27_000), outage });
    expect(after7s.recoveryMs).toBe(7000);
    const never = await simulate({ pipeline: closedUntil(Number.POSITIVE_INFINITY), outage });
    expect(never.recoveryMs).toBeUndefined();
  });

  it('finds calls, timers and listeners that are left behind', async () => {
    const leaking = (world: SimulatedWorld): SimulatedExecutor => {
      let calls = 0;
      return {
        execute: (operation, options) => {
          calls++;
          if (calls === 1) return new Promise(() => {});
          if (calls < 4) options?.signal?.addEventListener('abort', () => {});
          if (calls === 2) world.clock.schedule(() => {}, Number.MAX_SAFE_INTEGER);
          return direct(world).execute(operation, options);
        },
      };
    };
    const report = await simulate({ pipeline: leaking, durationMs: 5000 });
    expect(report.left).toEqual({ calls: 1, timers: 1, listeners: 2 });
  });

  it('takes what throws at once as a failed call', async () => {
    const broken: SimulatedExecutor = {
      execute: () => {
        throw new TypeError('broken');
      },
    };
    const { before } = await simulate({ pipeline: () => broken });
    expect(before.errors).toEqual({ TypeError: before.calls });
  });

  it('has events at their time', async () => {
    const seen: number[] = [];
    await simulate({
      pipeline: direct,
      durationMs: 5000,
      events: [
        { atMs: 1000, run: ({ clock }) => clock.adjustWallClock(-3_600_000) },
        { atMs: 2000, run: ({ clock }) => seen.push(Math.round(clock.now() - 1_700_000_000_000)) },
      ],
    });
    expect(seen).toEqual([2000 - 3_600_000]);
  });

  it('has careless thenables with the results of promises', async () => {
    const report = await simulate({
      pipeline: direct,
      foreignPromises: 1,
      dependency: { errorRate: 0.3 },
    });
    const { ends, calls, errors } = report.before;
    expect(ends.answered + (errors.ECONNRESET ?? 0)).toBe(calls);
    expect(errors.ECONNRESET).toBeGreaterThan(0.2 * calls);
    expect(report.left.calls).toBe(0);
  });

  it('draws a plot of what happened', async () => {
    const report = await simulate({ pipeline: direct, outage: { kind: 'hang', ...down } });
    const svg = report.toSvg('a < b & c');
    expect(svg).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    expect(svg).toContain('a &lt; b &amp; c');
    expect(svg).toContain('<title>hang</title>');
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
    expect(svg).toBe(
      (await simulate({ pipeline: direct, outage: { kind: 'hang', ...down } })).toSvg('a < b & c'),
    );
  });

  it.each([
    [{ callers: { abortShare: 1.1 } }, 'callers.abortShare must be from 0 to 1, got 1.1'],
    [{ network: { loss: -1 } }, 'network.loss must be from 0 to 1'],
    [{ network: { duplication: Number.NaN } }, 'network.duplication must be from 0 to 1'],
    [{ dependency: { errorRate: 2 } }, 'dependency.errorRate must be from 0 to 1'],
    [{ foreignPromises: 2 }, 'foreignPromises must be from 0 to 1'],
    [{ durationMs: 0 }, 'durationMs must be > 0, got 0'],
    [{ callers: { perSecond: 0 } }, 'callers.perSecond must be > 0'],
    [{ callers: { timeoutMs: -1 } }, 'callers.timeoutMs must be > 0'],
    [{ dependency: { workers: 0 } }, 'dependency.workers must be > 0'],
    [{ dependency: { serviceMs: 0 } }, 'dependency.serviceMs must be > 0'],
    [{ outage: { kind: 'hang', ...down, share: 3 } }, 'outage.share must be from 0 to 1'],
    [{ outage: { kind: 'hang', startMs: 0, durationMs: 0 } }, 'outage.durationMs must be > 0'],
  ] as const)('refuses %o', async (options, message) => {
    const simulation = simulate({ pipeline: direct, ...options });
    await expect(simulation).rejects.toThrow(RangeError);
    await expect(simulation).rejects.toThrow(`simulate: ${message}`);
  });
});
