import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { cached } from './cached.ts';
import type { CachedOptions, StaleEvent } from './options.ts';

function make(options: CachedOptions = {}) {
  const clock = new ManualClock();
  return { clock, policy: cached({ clock, ...options }) };
}

const down = (): Promise<never> => Promise.reject(new Error('down'));

describe('a cache of last good answers', () => {
  it('calls every time, and serves the last good answer when a call fails', async () => {
    const { clock, policy } = make();
    await expect(policy.execute(async () => 'one')).resolves.toBe('one');
    await expect(policy.execute(async () => 'two')).resolves.toBe('two');
    await clock.advance(60_000);
    await expect(policy.execute(down)).resolves.toBe('two');
    expect(policy.stats()).toEqual({
      calls: { success: 2, hit: 0, stale: 1, shared: 0, failure: 0 },
      keys: 1,
      evictions: 0,
    });
  });

  it('tells the age of what it serves', async () => {
    const events: StaleEvent[] = [];
    const { clock, policy } = make({ name: 'prices', onStale: (event) => events.push(event) });
    await expect(policy.answer(async () => 1)).resolves.toEqual({
      value: 1,
      source: 'call',
      ageMs: 0,
    });
    await clock.advance(42_000);
    const answer = await policy.answer(down, { operation: '' });
    expect(answer).toMatchObject({ value: 1, source: 'stale', ageMs: 42_000 });
    expect(answer.error).toMatchObject({ message: 'down' });
    expect(events).toMatchObject([
      { policy: 'prices', key: '', ageMs: 42_000, error: { message: 'down' } },
    ]);
  });

  it('fails when there is nothing to serve, or only what is too old', async () => {
    const { clock, policy } = make({ maxAgeMs: 1000 });
    await expect(policy.execute(down)).rejects.toThrow('down');
    await policy.execute(async () => 1);
    await clock.advance(1000);
    await expect(policy.execute(down)).resolves.toBe(1);
    await clock.advance(1);
    await expect(policy.execute(down)).rejects.toThrow('down');
    expect(policy.stats()).toMatchObject({ keys: 0, calls: { failure: 2, stale: 1 } });
  });

  it('serves a fresh answer without a call', async () => {
    const { clock, policy } = make({ freshMs: 100 });
    const operation = vi.fn(async () => 'made');
    await policy.execute(operation);
    await clock.advance(99);
    await expect(policy.answer(operation)).resolves.toEqual({
      value: 'made',
      source: 'fresh',
      ageMs: 99,
    });
    await clock.advance(1);
    await policy.execute(operation);
    expect(operation).toHaveBeenCalledTimes(2);
    expect(policy.stats().calls).toMatchObject({ success: 2, hit: 1 });
  });

  it('measures age by monotonic time', async () => {
    const { clock, policy } = make({ maxAgeMs: 1000 });
    await policy.execute(async () => 1);
    clock.adjustWallClock(1e9);
    await expect(policy.execute(down)).resolves.toBe(1);
  });

  it('keeps answers apart by key', async () => {
    const { policy } = make({ key: ({ attributes }) => String(attributes?.package) });
    const of = (name: string) => ({ attributes: { package: name } });
    await policy.execute(async () => 'a', of('a'));
    await policy.execute(async () => 'b', of('b'));
    await expect(policy.execute(down, of('a'))).resolves.toBe('a');
    await expect(policy.execute(down, of('c'))).rejects.toThrow('down');
    await expect(policy.answer(down, { key: 'b' })).resolves.toMatchObject({ value: 'b' });
    await expect(policy.forKey('b').execute(down)).resolves.toBe('b');
    policy.forget('b');
    await expect(policy.forKey('b').execute(down)).rejects.toThrow('down');
    policy.forget();
    await expect(policy.forKey('a').execute(down)).rejects.toThrow('down');
  });

  it('takes the operation for the key, where none is given', async () => {
    const { policy } = make();
    await policy.execute(async () => 'x', { operation: 'list' });
    await expect(policy.execute(down, { operation: 'list' })).resolves.toBe('x');
    await expect(policy.execute(down, { operation: 'other' })).rejects.toThrow('down');
  });

  it('is bounded, and forgets what was used longest ago', async () => {
    const { policy } = make({ maxKeys: 2 });
    for (const key of ['a', 'b', 'a', 'c']) await policy.forKey(key).execute(async () => key);
    await expect(policy.forKey('a').execute(down)).resolves.toBe('a');
    await expect(policy.forKey('b').execute(down)).rejects.toThrow('down');
    expect(policy.stats()).toMatchObject({ keys: 2, evictions: 1 });
  });

  it('serves for a value that means failure, and does not keep it', async () => {
    const { policy } = make({ isFailure: (value) => value === 'bad' });
    await expect(policy.execute(async () => 'bad')).resolves.toBe('bad');
    await policy.execute(async () => 'good');
    await expect(policy.execute(async () => 'bad')).resolves.toBe('good');
    expect(policy.stats().calls).toMatchObject({ failure: 1, success: 1, stale: 1 });
  });

  it('keeps only what is worth keeping, and serves only for errors that may be served for', async () => {
    const { policy } = make({
      isCacheable: (value) => value !== 'once',
      isServable: (error) => !(error instanceof TypeError),
    });
    await policy.execute(async () => 'kept');
    await policy.execute(async () => 'once');
    await expect(policy.execute(down)).resolves.toBe('kept');
    const bug = new TypeError('bug');
    await expect(policy.execute(() => Promise.reject(bug))).rejects.toBe(bug);
  });

  it('serves nothing to a caller who has given up', async () => {
    const { clock, policy } = make();
    await policy.execute(async () => 1);
    const controller = new AbortController();
    const call = policy.execute(({ signal }) => clock.sleep(100, signal) as never, {
      signal: controller.signal,
    });
    const outcome = expect(call).rejects.toBe('enough');
    controller.abort('enough');
    await outcome;
  });

  it.each([
    [{ freshMs: -1 }, 'cached: freshMs must be a number >= 0, got -1.'],
    [{ freshMs: 10, maxAgeMs: 5 }, 'cached: maxAgeMs must be a number >= 10, got 5.'],
    [{ maxKeys: 0 }, 'cached: maxKeys must be an integer >= 1, got 0.'],
    [{ key: 1 as never }, 'cached: key must be a function, got 1.'],
    [{ singleFlight: 1 as never }, 'cached: singleFlight must be a boolean, got 1.'],
    [{ onStale: 1 as never }, 'cached: onStale must be a function, got 1.'],
    [{ ttl: 1 } as never, "cached: unknown option 'ttl'"],
  ])('refuses %o', (options, message) => {
    expect(() => cached(options)).toThrow(message);
  });

  it('describes itself, by key too', () => {
    const { policy } = make();
    expect(policy.describe()).toEqual({ kind: 'cached' });
  });
});

describe('a single flight', () => {
  const flights = (options: CachedOptions = {}) => make({ singleFlight: true, ...options });

  it('runs once for calls of one key that overlap', async () => {
    const { clock, policy } = flights();
    const operation = vi.fn(async () => {
      await clock.sleep(50);
      return {};
    });
    const calls = [1, 2, 3].map(() => policy.execute(operation));
    const other = policy.forKey('other').execute(operation);
    await clock.advance(50);
    const [one, two, three] = await Promise.all(calls);
    expect(one).toBe(two);
    expect(two).toBe(three);
    expect(await other).not.toBe(one);
    expect(operation).toHaveBeenCalledTimes(2);
    expect(policy.stats().calls).toMatchObject({ success: 2, shared: 2 });
    await clock.runUntil(policy.execute(operation));
    expect(operation).toHaveBeenCalledTimes(3);
  });

  it('fails for all, and serves each what is stale', async () => {
    const { clock, policy } = flights();
    const fails = async (): Promise<string> => {
      await clock.sleep(50);
      throw new Error('down');
    };
    const first = [policy.tryExecute(fails), policy.tryExecute(fails)];
    await clock.advance(50);
    expect((await Promise.all(first)).map(({ ok }) => ok)).toEqual([false, false]);
    await policy.execute(async () => 'good');
    const second = [policy.execute(fails), policy.execute(fails)];
    await clock.advance(50);
    expect(await Promise.all(second)).toEqual(['good', 'good']);
  });

  it('goes on for the others when the caller who began it gives up', async () => {
    const { clock, policy } = flights();
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
    const first = policy.execute(operation, { signal: leader.signal });
    const second = policy.execute(operation, { signal: follower.signal });
    const left = expect(first).rejects.toBe('left');
    await clock.advance(10);
    leader.abort('left');
    await left;
    expect(aborted).toBe(false);
    await clock.advance(100);
    await expect(second).resolves.toBe('landed');
    // What landed is kept, though the one who began it had left.
    await expect(policy.execute(down)).resolves.toBe('landed');
  });

  it('is aborted when the last caller has given up, and the next call begins anew', async () => {
    const { clock, policy } = flights();
    const signals: AbortSignal[] = [];
    const operation = async ({ signal }: { signal: AbortSignal }): Promise<string> => {
      signals.push(signal);
      await clock.sleep(100, signal);
      return 'ok';
    };
    const controllers = [new AbortController(), new AbortController()];
    const calls = controllers.map(({ signal }) => policy.tryExecute(operation, { signal }));
    await clock.advance(10);
    for (const controller of controllers) controller.abort('left');
    const anew = policy.execute(operation);
    expect(await Promise.all(calls)).toEqual([
      { ok: false, error: 'left' },
      { ok: false, error: 'left' },
    ]);
    expect(signals).toHaveLength(2);
    expect(signals[0]?.aborted).toBe(true);
    await expect(clock.runUntil(anew)).resolves.toBe('ok');
  });

  it('holds no caller past its deadline', async () => {
    const { clock, policy } = flights();
    const slow = () => clock.sleep(100).then(() => 'late');
    const patient = policy.execute(slow);
    const hasty = policy.tryExecute(slow, { deadlineMs: 10 });
    await clock.advance(10);
    expect(await hasty).toMatchObject({ ok: false, error: { code: 'DEADLINE_EXCEEDED' } });
    await clock.advance(100);
    await expect(patient).resolves.toBe('late');
  });

  it('survives a synchronous throw, and leaves no unhandled rejection', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const { policy } = flights();
    const throws = (): string => {
      throw new Error('at once');
    };
    const controller = new AbortController();
    const call = policy.tryExecute(throws, { signal: controller.signal });
    controller.abort('left');
    expect((await call).ok).toBe(false);
    await settle();
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });
});
