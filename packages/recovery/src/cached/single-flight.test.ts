import { retry } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { pipeline } from '../pipeline/pipeline.ts';
import { cached } from './cached.ts';

const key = 'k';

function make() {
  const clock = new ManualClock();
  return { clock, policy: cached({ clock, singleFlight: true }) };
}

/** As `AbortSignal.timeout()`, on a manual clock. */
function timeoutSignal(clock: ManualClock, ms: number): AbortSignal {
  const controller = new AbortController();
  clock.schedule(() => controller.abort(new DOMException('too late', 'TimeoutError')), ms);
  return controller.signal;
}

describe('singleFlight', () => {
  it('runs the operation once for concurrent calls with one key', async () => {
    const { clock, policy } = make();
    const operation = vi.fn(async () => {
      await clock.sleep(50);
      return {};
    });
    const calls = [1, 2, 3].map(() => policy.execute(operation, { key }));
    const other = policy.execute(operation, { key: 'other' });
    await clock.advance(50);
    const [one, two, three] = await Promise.all(calls);
    expect(one).toBe(two);
    expect(two).toBe(three);
    expect(await other).not.toBe(one);
    expect(operation).toHaveBeenCalledTimes(2);
    expect(policy.stats().calls).toMatchObject({ success: 2, shared: 2 });
    await clock.runUntil(policy.execute(operation, { key }));
    expect(operation).toHaveBeenCalledTimes(3);
  });

  it('rejects for all callers, and serves a stale answer to all', async () => {
    const { clock, policy } = make();
    const fails = async (): Promise<string> => {
      await clock.sleep(50);
      throw new Error('down');
    };
    const first = [policy.tryExecute(fails, { key }), policy.tryExecute(fails, { key })];
    await clock.advance(50);
    expect((await Promise.all(first)).map(({ ok }) => ok)).toEqual([false, false]);
    await policy.execute(async () => 'good', { key });
    const second = [policy.execute(fails, { key }), policy.execute(fails, { key })];
    await clock.advance(50);
    expect(await Promise.all(second)).toEqual(['good', 'good']);
  });

  it('continues for the others when the caller that started the run leaves', async () => {
    const { clock, policy } = make();
    const leader = new AbortController();
    const follower = new AbortController();
    let aborted = false;
    const operation = async ({ signal }: { signal: AbortSignal }): Promise<string> => {
      signal.addEventListener('abort', () => {
        aborted = true;
      });
      await clock.sleep(100, signal);
      return 'landed';
    };
    const first = policy.execute(operation, { key, signal: leader.signal });
    const second = policy.execute(operation, { key, signal: follower.signal });
    const left = expect(first).rejects.toBe('left');
    await clock.advance(10);
    leader.abort('left');
    await left;
    expect(aborted).toBe(false);
    await clock.advance(100);
    await expect(second).resolves.toBe('landed');
    // The answer is kept, although the caller that started the run has left.
    const down = () => Promise.reject(new Error('down'));
    await expect(policy.execute(down, { key })).resolves.toBe('landed');
  });

  it('aborts the run when all callers have left, and starts another for the next call', async () => {
    const { clock, policy } = make();
    const signals: AbortSignal[] = [];
    const operation = async ({ signal }: { signal: AbortSignal }): Promise<string> => {
      signals.push(signal);
      await clock.sleep(100, signal);
      return 'ok';
    };
    const controllers = [new AbortController(), new AbortController()];
    const calls = controllers.map(({ signal }) => policy.tryExecute(operation, { key, signal }));
    await clock.advance(10);
    for (const controller of controllers) controller.abort('left');
    const anew = policy.execute(operation, { key });
    expect(await Promise.all(calls)).toEqual([
      { ok: false, error: 'left' },
      { ok: false, error: 'left' },
    ]);
    expect(signals).toHaveLength(2);
    expect(signals[0]?.aborted).toBe(true);
    await expect(clock.runUntil(anew)).resolves.toBe('ok');
  });

  it('is not disturbed by the late end of a run that all callers have left', async () => {
    const { clock, policy } = make();
    const controller = new AbortController();
    const slow = () => clock.sleep(100).then(() => 'abandoned');
    const left = policy.tryExecute(slow, { key, signal: controller.signal });
    controller.abort('left');
    await left;
    const operation = vi.fn(() => clock.sleep(200).then(() => 'next'));
    const next = policy.execute(operation, { key });
    await clock.advance(150);
    const joined = policy.execute(operation, { key });
    await clock.advance(100);
    expect([await next, await joined]).toEqual(['next', 'next']);
    expect(operation).toHaveBeenCalledTimes(1);
  });

  it('is not disturbed by the end of a run that began before forget', async () => {
    const { clock, policy } = make();
    const operation = vi.fn((value: string, ms: number) => clock.sleep(ms).then(() => value));
    const run = (value: string, ms: number) => policy.execute(() => operation(value, ms), { key });
    const old = run('old', 50);
    policy.forget(key);
    const anew = run('new', 200);
    await clock.advance(100);
    const joined = run('third', 200);
    await clock.advance(200);
    expect([await old, await anew, await joined]).toEqual(['old', 'new', 'new']);
    expect(operation).toHaveBeenCalledTimes(2);
  });

  it.each([
    ['timeoutMs', () => ({ timeoutMs: 100 })],
    ['AbortSignal.timeout()', (clock: ManualClock) => ({ signal: timeoutSignal(clock, 100) })],
  ])(
    'answers again after a run that never ends, while callers with %s come all the time',
    async (_, limit) => {
      const { clock, policy } = make();
      let runs = 0;
      const operation = ({ signal }: { signal: AbortSignal }): Promise<string> => {
        if (runs++ > 0) return clock.sleep(20, signal).then(() => 'ok');
        return new Promise((__, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      };
      const calls: Promise<{ ok: boolean }>[] = [];
      for (let i = 0; i < 40; i++) {
        calls.push(policy.tryExecute(operation, { key, ...limit(clock) }));
        await clock.advance(10);
      }
      await clock.advance(200);
      const answered = (await Promise.all(calls)).map(({ ok }) => ok);
      // Those that joined the first run before its first caller's time was over.
      expect(answered.indexOf(true)).toBe(10);
      expect(answered.lastIndexOf(false)).toBe(9);
      expect(runs).toBeLessThan(20);
    },
  );

  it('is joined after a caller has left of its own accord', async () => {
    const { clock, policy } = make();
    const operation = vi.fn(() => clock.sleep(100).then(() => 'ok'));
    const controller = new AbortController();
    const first = policy.tryExecute(operation, { key, signal: controller.signal });
    const second = policy.execute(operation, { key });
    controller.abort('left');
    const third = policy.execute(operation, { key });
    await clock.advance(100);
    expect([(await first).ok, await second, await third]).toEqual([false, 'ok', 'ok']);
    expect(operation).toHaveBeenCalledTimes(1);
  });

  it('lets each caller end at its own deadline', async () => {
    const { clock, policy } = make();
    const slow = () => clock.sleep(100).then(() => 'late');
    const patient = policy.execute(slow, { key });
    const hasty = policy.tryExecute(slow, { key, timeoutMs: 10 });
    await clock.advance(10);
    expect(await hasty).toMatchObject({ ok: false, error: { code: 'DEADLINE_EXCEEDED' } });
    await clock.advance(100);
    await expect(patient).resolves.toBe('late');
  });

  it.each([
    ['deadline', { timeoutMs: 10 }],
    ['caller', {}],
  ])('tells an abandoned run that it was ended by the %s', async (by, options) => {
    const { clock, policy } = make();
    const controller = new AbortController();
    let ended: string | undefined;
    const call = policy.tryExecute(
      async (own) => {
        await clock.sleep(100);
        ended = own.endedBy;
      },
      { key, signal: controller.signal, ...options },
    );
    await clock.advance(20);
    controller.abort();
    await call;
    await clock.advance(100);
    expect(ended).toBe(by);
  });

  it('leaves no unhandled rejection after a synchronous throw', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const { policy } = make();
    const throws = (): string => {
      throw new Error('at once');
    };
    const controller = new AbortController();
    const call = policy.tryExecute(throws, { key, signal: controller.signal });
    controller.abort('left');
    expect((await call).ok).toBe(false);
    await settle();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});

describe('retries around and inside a shared run', () => {
  const FAILURES: Readonly<Record<string, () => unknown>> = {
    'an error': () => new Error('down'),
    'a primitive': () => 'down',
  };
  const SIGNALS = { 'with a signal': true, 'without a signal': false };

  describe.each(Object.keys(FAILURES))('that ends with %s', (failure) => {
    it.each(Object.entries(SIGNALS))('do not multiply, %s', async (_title, withSignal) => {
      const { clock, policy } = make();
      const around = retry({ name: 'around', clock, shouldHandle: ({ ok }) => !ok });
      const inside = retry({ name: 'inside', clock, shouldHandle: ({ ok }) => !ok });
      const all = pipeline({ clock }, around, policy, inside);
      const operation = vi.fn(async () => {
        await clock.sleep(10);
        throw FAILURES[failure]?.();
      });
      const options = withSignal ? { key, signal: new AbortController().signal } : { key };
      const first = all.tryExecute(operation, options);
      await clock.advance(50); // the retries inside have begun when the second caller joins
      const second = all.tryExecute(operation, options);
      await clock.runUntil(Promise.all([first, second]));
      expect((await first).ok || (await second).ok).toBe(false);
      expect(operation).toHaveBeenCalledTimes(3);
    });
  });
});
