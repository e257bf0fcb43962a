import { auditLog } from '@temper/audit';
import { memorySink } from '@temper/audit/memory';
import { circuitBreaker } from '@temper/breaker';
import { hedge, pipeline, pipelines, timeout } from '@temper/recovery';
import { retry } from '@temper/retry';
import { ManualClock } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { autotune, type RecordedCall, reloadPipeline } from '../../src/tuning/index.ts';
import { BOUNDS, drawScenario, SCENARIOS, USUAL_SETTINGS, World } from './world.ts';

const reset = (): Error => Object.assign(new Error('reset'), { code: 'ECONNRESET' });

/** A tuner with what it has recorded of calls. */
function setUp() {
  const clock = new ManualClock();
  const tuner = autotune({ settings: {}, bounds: {}, clock });
  const calls: RecordedCall[] = [];
  tuner.onCall((call) => calls.push(call));
  return { clock, tuner, calls };
}

describe('what is recorded of', () => {
  it('attempts, their delays and how each ended', async () => {
    const { clock, tuner, calls } = setUp();
    const retries = retry({ clock, initialDelayMs: 100, jitter: 'none' });
    const policy = pipeline({ clock }, tuner.calls, retries, tuner.tries);
    let left = 2;
    const operation = async () => {
      await clock.sleep(30);
      if (left-- > 0) throw reset();
      return 'answer';
    };
    expect(await clock.runUntil(policy.execute(operation))).toBe('answer');
    expect(calls).toMatchObject([{ ok: true, refused: false, tookMs: 390 }]);
    expect(calls[0]?.tries).toEqual([
      { attempt: 1, hedge: 1, atMs: 0, tookMs: 30, result: 'failed' },
      { attempt: 2, hedge: 1, atMs: 130, tookMs: 30, result: 'failed' },
      { attempt: 3, hedge: 1, atMs: 360, tookMs: 30, result: 'answered' },
    ]);
  });

  it('attempts that time out, also where the operation never ends', async () => {
    for (const stubborn of [false, true]) {
      const { clock, tuner, calls } = setUp();
      const retries = retry({
        clock,
        maxAttempts: 2,
        attemptTimeoutMs: 50,
        initialDelayMs: 100,
        jitter: 'none',
      });
      const policy = pipeline({ clock }, tuner.calls, retries, tuner.tries);
      const operation = ({ signal }: { signal: AbortSignal }) =>
        stubborn ? new Promise(() => {}) : clock.sleep(1000, signal);
      await expect(clock.runUntil(policy.execute(operation))).rejects.toThrow('50 ms');
      expect(calls[0]?.tries.map(({ attempt, result }) => [attempt, result])).toEqual([
        [1, 'timeout'],
        [2, 'timeout'],
      ]);
      expect(calls[0]?.tries[1]?.tookMs).toBe(50);
    }
  });

  it('hedges: which try answered, and which one lost', async () => {
    const { clock, tuner, calls } = setUp();
    const policy = pipeline({ clock }, tuner.calls, hedge({ clock, delayMs: 50 }), tuner.tries);
    const operation = ({ hedge: number, signal }: { hedge: number; signal: AbortSignal }) =>
      clock.sleep(number === 1 ? 500 : 20, signal);
    await clock.runUntil(policy.execute(operation));
    await clock.advance(0);
    expect(calls[0]?.tries).toEqual([
      { attempt: 1, hedge: 1, atMs: 0, tookMs: 70, result: 'lost' },
      { attempt: 1, hedge: 2, atMs: 50, tookMs: 20, result: 'answered' },
    ]);
  });

  it('errors that are not tried again, and those that are the own mistake of the caller', async () => {
    const { clock, tuner, calls } = setUp();
    const policy = pipeline({ clock }, tuner.calls, retry({ clock }), tuner.tries);
    const missing = Object.assign(new Error('not found'), { status: 404 });
    await policy.tryExecute(() => Promise.reject(missing));
    await policy.tryExecute(() => Promise.reject(new Error('who knows')));
    expect(calls).toMatchObject([
      { ok: true, tries: [{ result: 'answered' }] },
      { ok: false, tries: [{ result: 'fatal' }] },
    ]);
  });

  it('calls that an open circuit refuses: no try, and a failure of the caller', async () => {
    const { clock, tuner, calls } = setUp();
    const breaker = circuitBreaker({
      clock,
      failureThreshold: 1,
      onStateChange: tuner.stateChanged,
    });
    const policy = pipeline({ clock }, tuner.calls, breaker, tuner.tries);
    await policy.tryExecute(() => Promise.reject(reset()));
    await policy.tryExecute(() => 1);
    expect(calls.at(-1)).toMatchObject({ ok: false, refused: true, tries: [] });
    expect(tuner.review().status).toBe('incident');
  });

  it('calls that their caller gave up: nothing; and that met their deadline: a failure', async () => {
    const { clock, tuner, calls } = setUp();
    const policy = pipeline({ clock }, tuner.calls, timeout({ clock }), tuner.tries);
    const operation = ({ signal }: { signal: AbortSignal }) => clock.sleep(1000, signal);
    const controller = new AbortController();
    const given = policy.tryExecute(operation, { signal: controller.signal });
    controller.abort(new Error('enough'));
    await given;
    expect(calls).toEqual([]);
    await clock.runUntil(policy.tryExecute(operation, { timeoutMs: 40 }));
    await clock.advance(0);
    expect(calls).toMatchObject([
      { ok: false, tookMs: 40, tries: [{ result: 'lost', tookMs: 40 }] },
    ]);
  });

  it('nothing, where only one of both observers is in the pipeline', async () => {
    const { clock, tuner, calls } = setUp();
    expect(await pipeline({ clock }, tuner.tries).execute(() => 7)).toBe(7);
    expect(calls).toEqual([]);
    const other = autotune({ settings: {}, bounds: {}, clock });
    await pipeline({ clock }, tuner.calls, other.calls, other.tries).execute(() => 7);
    expect(calls).toMatchObject([{ ok: true, tries: [] }]);
  });
});

describe('reloadPipeline', () => {
  const make = () =>
    pipelines({
      kinds: { retry, breaker: circuitBreaker },
      define: {
        registry: [
          { retry: { maxAttempts: 3 } },
          { breaker: { window: { calls: 20 } } },
          { hedge: {} },
        ],
      },
    });

  it('puts every setting where its policy reads it, and keeps what it does not know', () => {
    const registry = make();
    reloadPipeline(registry, 'registry')(USUAL_SETTINGS);
    const { maxAttempts, initialDelayMs, attemptTimeoutMs, hedgeDelayMs, ...ofBreaker } =
      USUAL_SETTINGS;
    expect(registry.list()[0]).toMatchObject({
      revision: 2,
      definition: [
        { retry: { maxAttempts, initialDelayMs, attemptTimeoutMs } },
        { breaker: { window: { calls: 20 }, ...ofBreaker } },
        { hedge: { delayMs: hedgeDelayMs } },
      ],
    });
  });

  it('keeps the state of policies whose options do not change', () => {
    const registry = make();
    const apply = reloadPipeline(registry, 'registry');
    const breaker = () => registry.list()[0]?.stats.policies[1];
    registry.list();
    apply({ maxAttempts: 2 });
    const before = breaker();
    apply({ maxAttempts: 1 });
    expect(breaker()).toEqual(before);
    expect(registry.list()[0]?.definition[0]).toEqual({ retry: { maxAttempts: 1 } });
  });

  it('throws for a setting without a layer, an unknown pipeline, and what reload refuses', () => {
    const registry = pipelines({ kinds: { retry }, define: { registry: [{ retry: {} }] } });
    expect(() => reloadPipeline(registry, 'registry')({ hedgeDelayMs: 10 })).toThrow(
      "pipeline 'registry' has no layer 'hedge' for hedgeDelayMs",
    );
    expect(() => reloadPipeline(registry, 'other')({ maxAttempts: 1 })).toThrow(
      "no pipeline is named 'other'",
    );
    expect(() => reloadPipeline(registry, 'registry')({ maxAttempts: 0 })).toThrow('Pipeline');
    expect(() => reloadPipeline({} as never, 'registry')).toThrow(TypeError);
  });
});

describe('with the real policies', () => {
  it('attempts that never help go, each change is in the audit log, and nothing leaves its bounds', async () => {
    const log = auditLog({ sinks: [memorySink()] });
    const world = new World({
      scenario: drawScenario('hopeless', 3),
      seed: 3,
      settings: USUAL_SETTINGS,
      tuning: { applies: true, audit: log, stepMs: 30_000 },
    });
    const first = await world.run(3000);
    await world.run(60_000);
    const last = await world.run(3000);
    const { settings, changes } = world.tuner.review();
    expect(settings.maxAttempts).toBe(1);
    expect(last.tries / last.calls).toBeLessThan(first.tries / first.calls - 0.02);
    expect(last.p99Ms).toBeLessThan(first.p99Ms / 2);
    for (const { before, after } of changes) {
      for (const [setting, [low, high]] of Object.entries(BOUNDS)) {
        const value = after[setting as keyof typeof BOUNDS] as number;
        expect(value).toBeGreaterThanOrEqual(low as number);
        expect(value).toBeLessThanOrEqual(high as number);
      }
      expect(before).toBeDefined();
    }
    const events = await log.getEvents(1000);
    const tuning = events.filter(({ eventType }) => eventType === 'tuning');
    expect(tuning.slice(-changes.length).map(({ details }) => details['after'])).toEqual(
      changes.map(({ after }) => after),
    );
    for (const { details } of tuning) {
      expect(Object.keys(details)).toEqual(
        expect.arrayContaining(['before', 'after', 'evidence', 'usual']),
      );
    }
    await log.close();
  }, 60_000);

  it.each(SCENARIOS.filter((name) => name !== 'outages'))(
    'no more calls fail after %s was tuned, and no more than an eighth of load is added',
    async (name) => {
      const results = [];
      for (const applies of [false, true]) {
        const world = new World({
          scenario: drawScenario(name, 4),
          seed: 4,
          settings: USUAL_SETTINGS,
          tuning: { applies },
        });
        await world.run(20_000);
        results.push(await world.run(5000));
      }
      const [plain, tuned] = results as [
        Awaited<ReturnType<World['run']>>,
        Awaited<ReturnType<World['run']>>,
      ];
      // Of 5000 calls, chance explains a difference of three standard deviations.
      const noise = 3 * Math.sqrt(2 * Math.max(plain.failed, 1));
      expect(tuned.failed).toBeLessThanOrEqual(plain.failed + noise);
      expect(tuned.tries / tuned.calls).toBeLessThanOrEqual(plain.tries / plain.calls + 0.125);
      expect(tuned.p99Ms).toBeLessThanOrEqual(plain.p99Ms * 1.25);
    },
    60_000,
  );
});
