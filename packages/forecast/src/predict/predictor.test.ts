import { ManualClock } from '@temper/testkit';
import { describe, expect, it, vi } from 'vitest';
import { DEFAULT_THRESHOLD } from './calibration.ts';
import { PREDICTOR_DEFAULTS, type PredictorOptions } from './options.ts';
import type { Prediction } from './prediction.ts';
import { type FailurePredictor, predictFailure } from './predictor.ts';

interface Load {
  readonly steps: number;
  /** Calls per step. */
  readonly calls?: number;
  /** Of a call, by its number in the step. */
  readonly fails?: (call: number) => boolean;
  readonly ms?: (call: number) => number;
  readonly key?: (call: number) => string | undefined;
}

function make(options: PredictorOptions = {}) {
  const clock = new ManualClock();
  const predictor = predictFailure({ name: 'registry', clock, ...options });
  const run = async ({ steps, calls = 40, fails, ms, key }: Load): Promise<void> => {
    for (let step = 0; step < steps; step++) {
      for (let call = 0; call < calls; call++) {
        predictor.record({
          failed: fails?.(call) ?? false,
          durationMs: ms?.(call) ?? 20 + (call % 7),
          key: key?.(call),
        });
      }
      await clock.advance(5000);
    }
  };
  return { clock, predictor, run };
}

const statusAfter = async (load: Load, options: PredictorOptions = {}): Promise<Prediction> => {
  const { predictor, run } = make(options);
  await run({ ...load, steps: 60 });
  return predictor.prediction();
};

describe('a failure predictor', () => {
  it('learns for 36 steps, and warns of nothing while it does', async () => {
    const { predictor, run } = make();
    await run({ steps: 20 });
    await run({ steps: 15, fails: () => true });
    expect(predictor.prediction()).toMatchObject({ status: 'learning', score: 0, probability: 0 });
    await run({ steps: 1 });
    expect(predictor.prediction().status).not.toBe('learning');
  });

  it.each<[string, Omit<Load, 'steps'>]>([
    ['no failures', {}],
    ['a constant failure in eight calls', { fails: (call) => call % 8 === 0 }],
    ['one call per step', { calls: 1 }],
    ['no calls at all', { calls: 0 }],
  ])('is calm about %s', async (_, load) => {
    expect(await statusAfter({ steps: 0, ...load })).toMatchObject({ status: 'calm', drivers: [] });
  });

  it.each<[string, Omit<Load, 'steps'>, string]>([
    ['failures', { fails: (call) => call % 4 === 0 }, 'failures'],
    ['latency', { ms: (call) => 60 + (call % 7) }, 'latency'],
    ['slow calls', { ms: (call) => (call % 5 === 0 ? 900 : 20 + (call % 7)) }, 'slow'],
  ])('warns of %s above the usual, and names the driver', async (_, load, signal) => {
    const { predictor, run, clock } = make({ slowCallDurationMs: 500 });
    await run({ steps: 60 });
    await run({ steps: 6, ...load });
    const prediction = predictor.prediction();
    expect(prediction).toMatchObject({ status: 'warning', since: expect.any(Number) });
    expect(prediction.since).toBeLessThanOrEqual(clock.now());
    expect(prediction.drivers.map((one) => one.signal)).toContain(signal);
    expect(prediction.probability).toBeGreaterThan(0.6);
    const scores = prediction.drivers.map(({ score }) => score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(prediction.score).toBe(scores[0]);
  });

  it('reads queue, retries and timeouts from its sources, and warns of each', async () => {
    for (const source of ['queue', 'retries', 'timeouts'] as const) {
      let total = 7;
      const { predictor, run } = make({ sources: { [source]: () => total } });
      await run({ steps: 60 });
      for (let step = 0; step < 6; step++) {
        total = source === 'queue' ? 50 : total + 20;
        await run({ steps: 1 });
      }
      expect(predictor.prediction()).toMatchObject({
        status: 'warning',
        drivers: [{ signal: source }],
      });
    }
  });

  it('keeps the last value of a source that throws or returns nonsense', async () => {
    let read = (): number => 5;
    const { predictor, run } = make({ sources: { queue: () => read() } });
    await run({ steps: 60 });
    for (const bad of [Number.NaN, -1, 'x' as never]) {
      read = () => bad;
      await run({ steps: 2 });
    }
    read = () => {
      throw new Error('source');
    };
    await run({ steps: 2 });
    expect(predictor.prediction()).toMatchObject({ status: 'calm', scores: { queue: 0 } });
  });

  it('leaves out the calls of one key that causes most of the bad calls', async () => {
    const noisy: Load = {
      steps: 20,
      key: (call) => (call % 5 === 0 ? 'noisy' : `client ${call % 11}`),
      fails: (call) => call % 5 === 0,
    };
    const usual: Load = { steps: 60, key: (call) => `client ${call % 11}` };
    const one = make();
    await one.run(usual);
    await one.run(noisy);
    expect(one.predictor.prediction().status).toBe('calm');
    // As many failures, of all clients.
    const all = make();
    await all.run(usual);
    await all.run({ ...noisy, key: (call) => `client ${call % 11}` });
    expect(all.predictor.prediction().status).toBe('warning');
  });

  it('says when users will notice a rise, sooner and sooner, and 0 when they do', async () => {
    const { predictor, run } = make();
    await run({ steps: 80, calls: 200 });
    const said: number[] = [];
    for (let share = 1; share <= 40; share++) {
      await run({ steps: 1, calls: 200, fails: (call) => call < share });
      const { noticedInMs } = predictor.prediction();
      if (noticedInMs !== undefined) said.push(noticedInMs);
    }
    expect(said[0]).toBeGreaterThan(60_000);
    expect(said.at(-1)).toBe(0);
    expect(said).toEqual(said.toSorted((a, b) => b - a));
  });

  it('ends its warning when the signal is usual again, and warns anew', async () => {
    const onWarning = vi.fn();
    const { predictor, run } = make({ onWarning });
    await run({ steps: 60 });
    await run({ steps: 4, fails: () => true });
    expect(predictor.stats()).toMatchObject({ warnings: 1, status: 'warning' });
    await run({ steps: 40 });
    expect(predictor.prediction()).toMatchObject({ status: 'calm', since: undefined });
    await run({ steps: 40, fails: () => true });
    expect(predictor.stats().warnings).toBe(2);
    expect(onWarning).toHaveBeenCalledTimes(2);
    expect(onWarning.mock.calls[0]?.[0]).toMatchObject({ status: 'warning', name: 'registry' });
  });

  it('learns anew after an hour without calls', async () => {
    const { predictor, run, clock } = make();
    await run({ steps: 60 });
    await clock.advance(3_700_000);
    expect(predictor.prediction().status).toBe('learning');
    await run({ steps: 40, fails: (call) => call % 2 === 0 });
    expect(predictor.prediction().status).toBe('calm');
  });

  it('keeps what it has learned through ten minutes without calls', async () => {
    const { predictor, run, clock } = make();
    await run({ steps: 60 });
    await clock.advance(600_000);
    await run({ steps: 4, fails: () => true });
    expect(predictor.prediction().status).toBe('warning');
  });
});

describe('as a policy', () => {
  const calls = (predictor: FailurePredictor): number => predictor.stats().calls;

  it('passes results and errors unchanged', async () => {
    const { predictor } = make();
    const error = new Error('down');
    await expect(predictor.execute(() => 1)).resolves.toBe(1);
    await expect(predictor.execute(() => Promise.reject(error))).rejects.toBe(error);
    expect(calls(predictor)).toBe(2);
    expect(predictor.describe()).toEqual({ kind: 'predictor' });
  });

  it('counts a failure by shouldHandle, by default all errors but the caller’s own mistakes', async () => {
    for (const [status, expected] of [
      [404, 'calm'],
      [503, 'warning'],
    ] as const) {
      const { predictor, clock } = make();
      for (let step = 0; step < 60; step++) {
        for (let i = 0; i < 20; i++) {
          await predictor.tryExecute(() =>
            step < 50 ? 1 : Promise.reject(Object.assign(new Error('http'), { status })),
          );
        }
        await clock.advance(5000);
      }
      expect(predictor.prediction().status).toBe(expected);
    }
  });

  it('does not count a call that its caller aborted, and counts one that met its deadline', async () => {
    const { predictor, clock } = make();
    const controller = new AbortController();
    const aborted = predictor.tryExecute(({ signal }) => clock.sleep(1000, signal), {
      signal: controller.signal,
    });
    controller.abort();
    await aborted;
    expect(calls(predictor)).toBe(0);
    const late = predictor.tryExecute(({ signal }) => clock.sleep(1000, signal), { timeoutMs: 50 });
    await clock.advance(50);
    expect(await late).toMatchObject({ error: { code: 'DEADLINE_EXCEEDED' } });
    expect(calls(predictor)).toBe(1);
  });

  it('takes the key of the call', async () => {
    const { predictor, run, clock } = make();
    await run({ steps: 60 });
    for (let step = 0; step < 20; step++) {
      for (let i = 0; i < 20; i++) {
        const fails = i % 4 === 0;
        await predictor.tryExecute(() => (fails ? Promise.reject(new Error('x')) : 1), {
          key: fails ? 'noisy' : `client ${i}`,
        });
      }
      await clock.advance(5000);
    }
    expect(predictor.prediction().scores.failures).toBeLessThan(3);
  });
});

describe('options', () => {
  it.each<[unknown, string]>([
    [{ threshold: 0 }, 'predictFailure: threshold must be a finite number > 0, got 0.'],
    [{ stepMs: 10 }, 'predictFailure: stepMs must be a number from 100 to 600000, got 10.'],
    [{ slowCallDurationMs: 0 }, 'predictFailure: slowCallDurationMs must be a number > 0, got 0.'],
    [{ sources: { queue: 1 } }, 'predictFailure: sources.queue must be a function, got 1.'],
    [{ sources: { queues: () => 1 } }, "predictFailure: sources: unknown option 'queues'"],
    [{ misspelt: 1 }, "predictFailure: unknown option 'misspelt'"],
  ])('%o are refused', (options, message) => {
    expect(() => predictFailure(options as PredictorOptions)).toThrow(message);
  });

  it.each([
    [{ failed: 1, durationMs: 1 }, 'failed must be a boolean'],
    [{ failed: true, durationMs: -1 }, 'durationMs must be'],
    [{ failed: true, durationMs: Number.NaN }, 'durationMs must be'],
    [{ failed: true, durationMs: 1, key: 3 }, 'key must be a string'],
    [undefined, 'call must be'],
  ])('a record of %o is refused', (call, message) => {
    expect(() => predictFailure().record(call as never)).toThrow(message);
  });

  it('has the defaults that its types say', () => {
    expect(PREDICTOR_DEFAULTS).toMatchObject({
      name: 'predictor',
      threshold: DEFAULT_THRESHOLD,
      stepMs: 5000,
    });
  });
});
