import type { Outcome } from '@temper/core';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it, vi } from 'vitest';
import { cached } from './cached.ts';
import type { CachedOptions, StaleEvent } from './options.ts';

function make(options: CachedOptions = {}) {
  const clock = new ManualClock();
  return { clock, policy: cached({ clock, ...options }) };
}

const key = 'k';
const down = (): Promise<never> => Promise.reject(new Error('down'));

describe('cached', () => {
  it('calls the operation every time, and serves the last good answer when it fails', async () => {
    const { clock, policy } = make();
    await expect(policy.execute(async () => 'one', { key })).resolves.toBe('one');
    await expect(policy.execute(async () => 'two', { key })).resolves.toBe('two');
    await clock.advance(60_000);
    await expect(policy.execute(down, { key })).resolves.toBe('two');
    expect(policy.stats()).toEqual({
      calls: { success: 2, hit: 0, stale: 1, shared: 0, failure: 0, aborted: 0 },
      keys: 1,
      evictions: 0,
    });
  });

  it('reports origin, age and failure of an answer', async () => {
    const events: StaleEvent[] = [];
    const { clock, policy } = make({ name: 'prices', onStale: (event) => events.push(event) });
    await expect(policy.answer(async () => 1, { key })).resolves.toEqual({
      value: 1,
      source: 'call',
      ageMs: 0,
    });
    await clock.advance(42_000);
    const answer = await policy.answer(down, { key, operation: 'price' });
    const failure = { ok: false, error: { message: 'down' } };
    expect(answer).toMatchObject({ value: 1, source: 'stale', ageMs: 42_000, failure });
    expect(events).toMatchObject([
      { policy: 'prices', key, ageMs: 42_000, operation: 'price', outcome: failure },
    ]);
  });

  it('rejects when there is no answer, or only one that is too old', async () => {
    const { clock, policy } = make({ maxAgeMs: 1000 });
    await expect(policy.execute(down, { key })).rejects.toThrow('down');
    await policy.execute(async () => 1, { key });
    await clock.advance(1000);
    await expect(policy.execute(down, { key })).resolves.toBe(1);
    await clock.advance(1);
    await expect(policy.execute(down, { key })).rejects.toThrow('down');
    expect(policy.stats()).toMatchObject({ keys: 0, calls: { failure: 2, stale: 1 } });
  });

  it('serves a fresh answer without calling the operation', async () => {
    const { clock, policy } = make({ freshMs: 100 });
    const operation = vi.fn(async () => 'made');
    await policy.execute(operation, { key });
    await clock.advance(99);
    await expect(policy.answer(operation, { key })).resolves.toEqual({
      value: 'made',
      source: 'fresh',
      ageMs: 99,
    });
    await clock.advance(1);
    await policy.execute(operation, { key });
    expect(operation).toHaveBeenCalledTimes(2);
    expect(policy.stats().calls).toMatchObject({ success: 2, hit: 1 });
  });

  it('measures age in monotonic time', async () => {
    const { clock, policy } = make({ maxAgeMs: 1000 });
    await policy.execute(async () => 1, { key });
    clock.adjustWallClock(1e9);
    await expect(policy.execute(down, { key })).resolves.toBe(1);
  });

  it('removes the answer used longest ago when there are too many keys', async () => {
    const { policy } = make({ maxKeys: 2 });
    for (const own of ['a', 'b', 'a', 'c']) await policy.execute(async () => own, { key: own });
    await expect(policy.execute(down, { key: 'a' })).resolves.toBe('a');
    await expect(policy.execute(down, { key: 'b' })).rejects.toThrow('down');
    expect(policy.stats()).toMatchObject({ keys: 2, evictions: 1 });
  });

  it('serves an old answer for a value that counts as a failure, and does not keep it', async () => {
    const { policy } = make({ shouldHandle: (o: Outcome<string>) => o.ok && o.value === 'bad' });
    await expect(policy.execute(async () => 'bad', { key })).resolves.toBe('bad');
    await policy.execute(async () => 'good', { key });
    await expect(policy.execute(async () => 'bad', { key })).resolves.toBe('good');
    expect(policy.stats().calls).toMatchObject({ failure: 1, success: 1, stale: 1 });
  });

  it('keeps only answers that isCacheable accepts, and serves only for what shouldHandle accepts', async () => {
    const { policy } = make({
      isCacheable: (value) => value !== 'once',
      shouldHandle: (o) => !o.ok && !(o.error instanceof TypeError),
    });
    await policy.execute(async () => 'kept', { key });
    await policy.execute(async () => 'once', { key });
    await expect(policy.execute(down, { key })).resolves.toBe('kept');
    const bug = new TypeError('bug');
    await expect(policy.execute(() => Promise.reject(bug), { key })).rejects.toBe(bug);
  });

  it('by default serves no old answer for the caller’s own mistakes', async () => {
    const { policy } = make();
    await policy.execute(async () => 'kept', { key });
    const missing = Object.assign(new Error('not found'), { status: 404 });
    await expect(policy.execute(() => Promise.reject(missing), { key })).rejects.toBe(missing);
    await expect(policy.execute(() => Promise.reject(new TypeError('bug')), { key })).resolves.toBe(
      'kept',
    );
  });

  it('serves nothing to a caller who has aborted', async () => {
    const { clock, policy } = make();
    await policy.execute(async () => 1, { key });
    const controller = new AbortController();
    const call = policy.execute(({ signal }) => clock.sleep(100, signal) as never, {
      key,
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

  it('describes itself to composers', () => {
    expect(make().policy.describe()).toEqual({ kind: 'cached', sharesRuns: false });
    expect(cached({ singleFlight: true, reserveMs: 5 }).describe()).toEqual({
      kind: 'cached',
      maxReserveMs: 5,
      sharesRuns: true,
    });
  });
});

describe('the key of a cached call', () => {
  it.each([
    ['no options', {}],
    ['only a label', { operation: 'find_user' }],
  ])('is required: a call with %s is refused, and the operation is not called', async (_, call) => {
    const { policy } = make({ name: 'users', freshMs: 60_000 });
    const operation = vi.fn();
    await expect(policy.execute(operation, call)).rejects.toThrow(
      new TypeError(
        "Cache 'users' needs a key for each call: pass { key } to execute, use wrap(fn, (...args) => ({ key })), or set the option key.",
      ),
    );
    await expect(policy.answer(operation, call)).rejects.toBeInstanceOf(TypeError);
    await expect(policy.wrap(operation)()).rejects.toBeInstanceOf(TypeError);
    expect(operation).not.toHaveBeenCalled();
  });

  it('separates the answers of a wrapped function', async () => {
    const { policy } = make({ freshMs: 60_000 });
    const load = vi.fn(async (id: number) => `user ${id}`);
    const find = policy.wrap(load, (id: number) => ({ key: String(id) }));
    expect([await find(1), await find(2), await find(1)]).toEqual(['user 1', 'user 2', 'user 1']);
    expect(load).toHaveBeenCalledTimes(2);
  });

  it('can be computed from the call by an option', async () => {
    const { policy } = make({ key: ({ attributes }) => String(attributes?.package) });
    const of = (name: string) => ({ attributes: { package: name } });
    await policy.execute(async () => 'a', of('a'));
    await policy.execute(async () => 'b', of('b'));
    await expect(policy.execute(down, of('a'))).resolves.toBe('a');
    await expect(policy.execute(down, of('c'))).rejects.toThrow('down');
  });

  it.each([
    ['undefined', () => undefined],
    ["''", () => ''],
    ['7', () => 7 as never],
    ['an object', () => Promise.reject(new Error('late')) as never],
  ])('must be a non-empty string, not %s', async (shown, keyOption) => {
    const { policy } = make({ key: keyOption });
    await expect(policy.execute(() => 1)).rejects.toThrow(`; the option key returned ${shown}: `);
  });

  it('rejects with what the option throws', async () => {
    const error = new Error('no tenant');
    const { policy } = make({
      key: () => {
        throw error;
      },
    });
    await expect(policy.execute(() => 1)).rejects.toBe(error);
  });
});

describe('forget and clear', () => {
  it('remove one answer, and all', async () => {
    const { policy } = make();
    for (const own of ['a', 'b', 'c']) await policy.execute(async () => own, { key: own });
    policy.forget('b');
    await expect(policy.execute(down, { key: 'b' })).rejects.toThrow('down');
    await expect(policy.execute(down, { key: 'a' })).resolves.toBe('a');
    policy.clear();
    await expect(policy.execute(down, { key: 'a' })).rejects.toThrow('down');
    expect(policy.stats().keys).toBe(0);
  });

  it.each([
    ['undefined', undefined],
    ['null', null],
    ["''", ''],
    ['1', 1],
    ['NaN', Number.NaN],
    ['an object', {}],
    ['an array', ['a']],
  ])('refuse %s as a key, and remove nothing then', async (shown, wrong) => {
    const { policy } = make({ name: 'users' });
    await policy.execute(async () => 'kept', { key });
    expect(() => policy.forget(wrong as never)).toThrow(TypeError);
    expect(() => policy.forget(wrong as never)).toThrow(
      `Cache 'users': forget(key) needs a non-empty string, got ${shown}`,
    );
    expect(policy.stats().keys).toBe(1);
  });

  it.each([
    ['forget', false],
    ['clear', false],
    ['forget', true],
    ['clear', true],
  ] as const)(
    'keep no answer of a call in progress (%s, singleFlight: %s)',
    async (method, singleFlight) => {
      const { clock, policy } = make({ freshMs: 1000, singleFlight });
      const old = policy.execute(() => clock.sleep(50).then(() => 'old'), { key });
      policy[method](key);
      const anew = policy.execute(() => clock.sleep(10).then(() => 'new'), { key });
      await clock.advance(50);
      expect([await old, await anew]).toEqual(['old', 'new']);
      await expect(policy.execute(down, { key })).resolves.toBe('new');
      expect(policy.stats().calls.shared).toBe(0);
    },
  );

  it('leave calls with other keys alone', async () => {
    const { clock, policy } = make({ freshMs: 1000 });
    const call = policy.execute(() => clock.sleep(50).then(() => 'kept'), { key });
    policy.forget('other');
    await clock.advance(50);
    await call;
    await expect(policy.execute(down, { key })).resolves.toBe('kept');
  });
});

describe('overlapping calls', () => {
  it('keep the answer of the call that began last, whichever ends last', async () => {
    const { clock, policy } = make({ freshMs: 1000 });
    const take = (ms: number, value: string) =>
      policy.execute(() => clock.sleep(ms).then(() => value), { key });
    const calls = [take(50, 'old'), take(10, 'new')];
    await clock.advance(50);
    await Promise.all(calls);
    await expect(policy.execute(down, { key })).resolves.toBe('new');
  });

  it('keep an earlier answer when the later call fails', async () => {
    const { clock, policy } = make();
    const early = policy.execute(() => clock.sleep(50).then(() => 'early'), { key });
    const late = policy.tryExecute(down, { key });
    await clock.advance(50);
    expect((await late).ok).toBe(false);
    await early;
    await expect(policy.execute(down, { key })).resolves.toBe('early');
  });
});
