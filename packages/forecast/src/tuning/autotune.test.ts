import { ManualClock, seededRandom } from '@temper/testkit';
import { describe, expect, it, vi } from 'vitest';
import { type AutotuneOptions, type Autotuner, autotune, type TuningChange } from './index.ts';
import type { RecordedTry } from './recorded-call.ts';

const SETTINGS = { maxAttempts: 3, attemptTimeoutMs: 5000 };
const BOUNDS = { maxAttempts: [1, 4], attemptTimeoutMs: [100, 10_000] } as const;

/** A tuner, and a world of 20 calls a second whose every 20th fails for good. */
function setUp(options: Partial<AutotuneOptions> = {}) {
  const clock = new ManualClock();
  const changes: TuningChange[] = [];
  const tuner = autotune({
    settings: SETTINGS,
    bounds: BOUNDS,
    clock,
    onChange: (one) => changes.push(one),
    ...options,
  });
  const random = seededRandom(1);
  const world = { failing: 0.05, tookMs: 20 };
  const one = (attempt: number, atMs: number, result: RecordedTry['result']): RecordedTry => ({
    attempt,
    hedge: 1,
    atMs,
    tookMs: world.tookMs,
    result,
  });
  const call = (): void => {
    const ok = random() >= world.failing;
    const attempts = ok ? 1 : (tuner.settings.maxAttempts ?? 1);
    const tries = Array.from({ length: attempts }, (_, i) =>
      one(i + 1, i * 120, ok ? 'answered' : 'failed'),
    );
    tuner.record({ at: clock.now(), tookMs: attempts * world.tookMs, ok, refused: false, tries });
  };
  const run = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      for (let i = 0; i < 20; i++) call();
      await clock.advance(1000);
    }
  };
  return { clock, tuner, changes, world, run };
}

const outcomes = (changes: readonly TuningChange[]) =>
  changes.map(({ outcome, setting }) => `${outcome} ${setting}`);

/** Runs until there is such an outcome. */
async function until(
  { changes, run }: { changes: TuningChange[]; run: (seconds: number) => Promise<void> },
  outcome: string,
): Promise<TuningChange> {
  for (let i = 0; i < 2000; i++) {
    const found = changes.find((change) => change.outcome === outcome);
    if (found !== undefined) return found;
    await run(5);
  }
  throw new Error(`No change was ${outcome}.`);
}

describe('without apply', () => {
  it('proposes with its evidence, says what is missing, and changes nothing', async () => {
    const { tuner, run, changes } = setUp();
    expect(tuner.review()).toMatchObject({ status: 'observing', proposals: [] });
    expect(tuner.review().waiting.map(({ setting }) => setting)).toEqual([
      'attemptTimeoutMs',
      'maxAttempts',
    ]);
    await run(900);
    const { proposals, waiting, settings } = tuner.review();
    expect(proposals.map(({ setting, from, to }) => [setting, from, to])).toEqual([
      ['attemptTimeoutMs', 5000, 2500],
      ['maxAttempts', 3, 2],
    ]);
    expect(proposals[1]?.evidence).toMatchObject({ answered: 0 });
    expect(proposals[1]?.evidence['attempts']).toBeGreaterThanOrEqual(200);
    expect(waiting).toEqual([]);
    expect(settings).toEqual(SETTINGS);
    expect(changes).toEqual([]);
  });

  it('proposes nothing for a setting without bounds', async () => {
    const { tuner, run } = setUp({ bounds: { maxAttempts: [1, 4] } });
    await run(900);
    expect(tuner.review().proposals.map(({ setting }) => setting)).toEqual(['maxAttempts']);
  });
});

describe('with apply', () => {
  it('makes one change at a time, keeps what makes nothing worse, and tells each with its evidence', async () => {
    const applied: unknown[] = [];
    const audit = { record: vi.fn() };
    const world = setUp({ apply: (settings) => void applied.push(settings), audit });
    const kept = await until(world, 'kept');
    expect(world.changes.map(({ outcome }) => outcome)).toEqual(['applied', 'kept']);
    expect(applied).toEqual([{ ...SETTINGS, maxAttempts: 2 }]);
    expect(kept).toMatchObject({
      setting: 'maxAttempts',
      before: SETTINGS,
      after: { maxAttempts: 2 },
      evidence: { answered: 0 },
    });
    expect(kept.trial?.load).toBeLessThan(kept.usual.load);
    expect(
      audit.record.mock.calls.map(([{ action, status, resource }]) => [action, status, resource]),
    ).toEqual([
      ['apply_settings', 'success', 'autotune'],
      ['keep_settings', 'success', 'autotune'],
    ]);
    expect(audit.record.mock.calls[0]?.[0].details).toMatchObject({
      before: SETTINGS,
      after: { maxAttempts: 2 },
      evidence: { answered: 0 },
    });
  });

  it('never leaves the bounds', async () => {
    const bounds = { maxAttempts: [2, 4], attemptTimeoutMs: [900, 10_000] } as const;
    const { run, tuner, changes } = setUp({ apply: () => {}, bounds });
    await run(8000);
    expect(tuner.settings).toEqual({ maxAttempts: 2, attemptTimeoutMs: 900 });
    for (const { after } of changes) {
      expect(after.maxAttempts).toBeGreaterThanOrEqual(2);
      expect(after.attemptTimeoutMs).toBeGreaterThanOrEqual(900);
    }
  });

  it.each([
    ['failures', (world: { failing: number; tookMs: number }) => (world.failing = 0.1)],
    ['latency', (world: { failing: number; tookMs: number }) => (world.tookMs = 200)],
  ])(
    'undoes a change after which %s become worse, and waits longer each time',
    async (metric, harm) => {
      const world = setUp({
        apply: () => harm(world.world),
        coolDownMs: 600_000,
        bounds: { maxAttempts: [1, 4] },
      });
      const calm = { ...world.world };
      const times: number[] = [];
      for (let i = 0; i < 3; i++) {
        await until(world, 'applied');
        times.push(world.clock.monotonic());
        const undone = await until(world, 'undone');
        expect(undone).toMatchObject({ reason: `${metric} became worse`, after: SETTINGS });
        expect(world.tuner.settings).toEqual(SETTINGS);
        world.changes.length = 0;
        Object.assign(world.world, calm);
      }
      const [first = 0, second = 0, third = 0] = times;
      expect(second - first).toBeGreaterThanOrEqual(600_000);
      expect(third - second).toBeGreaterThanOrEqual(1_200_000);
    },
  );

  it('undoes a change that the metric of the user speaks against', async () => {
    let cost = 10;
    const world = setUp({
      apply: () => {
        cost += 5;
      },
      guard: () => cost + Math.sin(cost * world.clock.now()),
    });
    expect(await until(world, 'undone')).toMatchObject({ reason: 'guard became worse' });
  });

  it.each([
    ['promise', (promise: Promise<void>) => promise],
    // biome-ignore lint/suspicious/noThenProperty: a thenable
    ['thenable', (promise: Promise<void>) => ({ then: promise.then.bind(promise) })],
  ] as const)(
    'waits for an apply that returns a %s, and takes a rejection for no change',
    async (_, as) => {
      let settle = { resolve: () => {}, reject: (_: unknown) => {} };
      const apply = () =>
        as(new Promise<void>((resolve, reject) => (settle = { resolve, reject }))) as Promise<void>;
      const world = setUp({ apply, bounds: { maxAttempts: [1, 4] } });
      await world.run(900);
      expect([world.changes, world.tuner.settings]).toEqual([[], SETTINGS]);
      settle.reject(new Error('refused'));
      await world.clock.advance(0);
      expect(world.changes).toMatchObject([
        { outcome: 'failed', after: SETTINGS, error: new Error('refused') },
      ]);
      await world.run(8000);
      settle.resolve();
      await world.clock.advance(0);
      expect(outcomes(world.changes)).toEqual(['failed maxAttempts', 'applied maxAttempts']);
      expect(world.tuner.settings.maxAttempts).toBe(2);
    },
  );

  it('takes an apply that throws for no change, and tells it', async () => {
    const audit = { record: vi.fn() };
    const world = setUp({
      audit,
      apply: () => {
        throw new Error('no');
      },
    });
    expect(await until(world, 'failed')).toMatchObject({ before: SETTINGS, after: SETTINGS });
    expect(audit.record.mock.calls[0]?.[0]).toMatchObject({
      status: 'failure',
      error: new Error('no'),
    });
    expect(world.tuner.review().status).toBe('observing');
  });
});

describe('in an incident', () => {
  it('learns nothing that a predictor or a circuit says is one', async () => {
    let incident = false;
    const { run, tuner } = setUp({ incident: () => incident });
    await run(300);
    const calls = tuner.review().usual.calls;
    expect(calls).toBeGreaterThan(0);
    incident = true;
    await run(300);
    expect(tuner.review()).toMatchObject({ status: 'incident', usual: { calls } });
    incident = false;
    tuner.stateChanged({ policy: 'circuit', from: 'closed', to: 'open', reason: 'failures' });
    await run(300);
    expect(tuner.review()).toMatchObject({ status: 'incident', usual: { calls } });
    tuner.stateChanged({
      policy: 'circuit',
      from: 'half-open',
      to: 'closed',
      reason: 'trials-succeeded',
    });
    await run(300);
    expect(tuner.review().status).toBe('observing');
    expect(tuner.review().usual.calls).toBeGreaterThan(calls);
  });

  it('leaves out the step before as well, as an incident begins before it is noticed', async () => {
    let incident = false;
    const { run, tuner } = setUp({ incident: () => incident });
    await run(180);
    const { calls } = tuner.review().usual;
    await run(50);
    incident = true;
    await run(60);
    incident = false;
    await run(30);
    expect(tuner.review().usual.calls).toBe(calls);
  });

  it('leaves out steps with many more failures than usual, until they are the usual', async () => {
    const { run, tuner, world } = setUp();
    await run(600);
    const { calls, failureRatio } = tuner.review().usual;
    world.failing = 0.5;
    await run(600);
    expect(tuner.review().usual).toMatchObject({ failureRatio: expect.closeTo(failureRatio, 2) });
    expect(tuner.review().usual.calls - calls).toBeLessThanOrEqual(20 * 60);
    await run(6000);
    expect(tuner.review().usual.failureRatio).toBeGreaterThan(0.45);
  });

  it('undoes the change that is on trial', async () => {
    const world = setUp({ apply: () => {} });
    await until(world, 'applied');
    world.tuner.stateChanged({
      policy: 'circuit',
      from: 'closed',
      to: 'open',
      reason: 'failure-rate',
    });
    expect(world.changes.at(-1)).toMatchObject({
      outcome: 'undone',
      reason: 'a circuit opened',
      after: SETTINGS,
    });
  });
});

describe('a tuner', () => {
  it('learns anew when somebody else changes the settings, and drops its own trial', async () => {
    const world = setUp({ apply: () => {} });
    await until(world, 'applied');
    world.tuner.update({ maxAttempts: 4, attemptTimeoutMs: 1000 });
    expect(world.tuner.review()).toMatchObject({
      status: 'observing',
      settings: { maxAttempts: 4 },
      usual: { calls: 0 },
    });
    expect(() => world.tuner.update({ ...SETTINGS, maxAttempts: 5 })).toThrow(RangeError);
  });

  it.each([
    [{}, 'settings must be an object'],
    [{ settings: SETTINGS }, 'bounds must be an object'],
    [
      { settings: {}, bounds: { maxAttempts: [1, 4] } },
      'bounds.maxAttempts needs settings.maxAttempts',
    ],
    [
      { settings: { maxAttempts: 5 }, bounds: { maxAttempts: [1, 4] } },
      'settings.maxAttempts must be a number from 1 to 4',
    ],
    [{ settings: { maxAttempts: 2 }, bounds: { maxAttempts: [4, 1] } }, 'bounds.maxAttempts[1]'],
    [{ settings: { maxAttempts: 2.5 }, bounds: {} }, 'settings.maxAttempts must be an integer'],
    [{ settings: { attempts: 2 }, bounds: {} }, "unknown option 'attempts'"],
    [{ settings: {}, bounds: {}, mode: 'apply' }, "unknown option 'mode'"],
    [{ settings: {}, bounds: {}, minBenefit: 0 }, 'minBenefit must be'],
    [{ settings: {}, bounds: {}, audit: {} }, 'audit.record must be a function'],
  ])('refuses %o', (options, message) => {
    expect(() => autotune(options as never)).toThrow(message);
  });

  it.each([
    [{}, TypeError],
    [{ at: 0, tookMs: -1, ok: true, refused: false, tries: [] }, RangeError],
    [{ at: 0, tookMs: 1, ok: true, refused: false, tries: [{ attempt: 0 }] }, RangeError],
    [
      {
        at: 0,
        tookMs: 1,
        ok: true,
        refused: false,
        tries: [{ attempt: 1, hedge: 1, atMs: 0, tookMs: 0, result: 'good' }],
      },
      TypeError,
    ],
  ])('refuses to record %o', (call, error) => {
    const tuner: Autotuner = autotune({ settings: {}, bounds: {} });
    expect(() => tuner.record(call as never)).toThrow(error);
  });
});
