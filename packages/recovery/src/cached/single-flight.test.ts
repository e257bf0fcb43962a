import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { cached } from './cached.ts';

const key = 'k';

function make() {
  const clock = new ManualClock();
  return { clock, policy: cached({ clock, singleFlight: true }) };
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
