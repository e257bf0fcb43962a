import { type Operation, type Policy, systemClock } from '@temper/core';
import { type Call, PolicyBase } from '@temper/core/policy';
import { ManualClock } from '@temper/testkit';
import { beforeEach, describe, expect, it } from 'vitest';
import { concurrency } from '../limiters/concurrency.ts';
import { tokenBucket } from '../limiters/token-bucket.ts';
import { keyed } from './keyed.ts';
import type { KeyedLimiter } from './options.ts';

let clock: ManualClock;
beforeEach(() => {
  clock = new ManualClock();
});

/** A policy around another one, which joins the call under way as a pipeline does. */
class Around extends PolicyBase {
  readonly #inner: Policy;

  constructor(inner: Policy) {
    super('around', systemClock);
    this.#inner = inner;
  }

  runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    return this.#inner.execute(operation, { parent: call });
  }

  stats(): object {
    return {};
  }

  [Symbol.dispose](): void {}
}

const kinds: [string, () => KeyedLimiter][] = [
  ['template', () => keyed({ template: tokenBucket({ clock, burst: 2, maxQueue: 0 }) })],
  [
    'limiter function',
    () => keyed({ limiter: () => tokenBucket({ clock, burst: 2, maxQueue: 0 }), name: 'per-key' }),
  ],
];

describe.each(kinds)('a keyed limiter with a %s', (_, make) => {
  it('limits each key by the key of the call', async () => {
    const limiter = make();
    for (const key of ['a', 'a', 'b']) await limiter.execute(() => 1, { key });
    await expect(limiter.execute(() => 1, { key: 'a' })).rejects.toMatchObject({
      reason: 'limit',
      refused: true,
    });
    await expect(limiter.execute(() => 1, { key: 'b' })).resolves.toBe(1);
    expect(await limiter.tryExecute(() => 1, { key: 'b' })).toMatchObject({ ok: false });
    expect(limiter.stats()).toMatchObject({ keys: 2, allowed: 4, rejected: 2 });
  });

  it('finds key and cost through the policies around it', async () => {
    const limiter = make();
    const nested = new Around(new Around(limiter));
    await nested.execute(() => 1, { key: 'a', cost: 2 });
    expect(limiter.peek({ key: 'a' }).remaining).toBe(0);
    await nested.execute(({ key, cost }) => expect({ key, cost }).toEqual({ key: 'b', cost: 1 }), {
      key: 'b',
    });
    await limiter.execute((call) => limiter.execute(() => 1, { parent: call, key: 'd' }), {
      key: 'c',
    });
    expect(limiter.peek({ key: 'c' }).remaining).toBe(1);
    expect(limiter.peek({ key: 'd' }).remaining).toBe(1);
  });

  it('refuses a call without a key, at every entry', async () => {
    const limiter = make();
    const message = /needs the key of each call: pass \{ key \}/;
    for (const options of [undefined, {}, { key: undefined }]) {
      expect(() => limiter.tryAcquire(options)).toThrow(message);
      expect(() => limiter.take(options)).toThrow(message);
      expect(() => limiter.peek(options)).toThrow(message);
      await expect(limiter.acquire(options)).rejects.toThrow(message);
      await expect(limiter.execute(() => 1, options)).rejects.toThrow(message);
      await expect(limiter.wrap(() => 1, options)()).rejects.toThrow(message);
      await expect(new Around(limiter).execute(() => 1, options)).rejects.toThrow(TypeError);
    }
    expect(limiter.stats()).toMatchObject({ keys: 0, allowed: 0 });
  });

  it.each([
    ['a positional key', 'a'],
    ['a number', 2],
    ['null', null],
    ['an empty key', { key: '' }],
    ['a key of another type', { key: 7 }],
    ['a misspelt option', { key: 'a', deadlineMs: 5 }],
  ])('refuses %s with a TypeError', async (_name, options) => {
    const limiter = make();
    expect(() => limiter.tryAcquire(options as never)).toThrow(TypeError);
    expect(() => limiter.take(options as never)).toThrow(TypeError);
    expect(() => limiter.peek(options as never)).toThrow(TypeError);
    await expect(limiter.acquire(options as never)).rejects.toThrow(TypeError);
    expect(limiter.stats().keys).toBe(0);
  });

  it('refuses a bad key in for and forget', () => {
    const limiter = make();
    for (const key of [undefined, null, 7, '']) {
      expect(() => limiter.for(key as never)).toThrow(TypeError);
      expect(() => limiter.forget(key as never)).toThrow(TypeError);
    }
  });

  it('wraps a function with the key computed from its arguments', async () => {
    const limiter = make();
    const greet = limiter.wrap(
      function hello(this: { mark: string }, name: string) {
        return `${name}${this.mark}`;
      },
      (name) => ({ key: name }),
    );
    expect(greet.name).toBe('hello');
    for (let i = 0; i < 2; i++)
      await expect(greet.call({ mark: '!' }, 'ann')).resolves.toBe('ann!');
    await expect(greet.call({ mark: '!' }, 'ann')).rejects.toMatchObject({ reason: 'limit' });
    await expect(greet.call({ mark: '!' }, 'bob')).resolves.toBe('bob!');
  });

  it('shows one key as a limiter of its own', async () => {
    const limiter = make();
    const ann = limiter.for('ann');
    expect(limiter.stats().keys).toBe(0);
    await expect(ann.execute(({ key }) => key)).resolves.toBe('ann');
    using lease = await ann.acquire();
    expect(lease.cost).toBe(1);
    expect(ann.tryAcquire()).toBeUndefined();
    expect(ann.take()).toMatchObject({ allowed: false, remaining: 0 });
    expect(ann.peek()).toEqual(limiter.peek({ key: 'ann' }));
    expect(limiter.for('bob').tryAcquire()).toBeDefined();
    expect(() => ann.tryAcquire({ cost: 0 })).toThrow(RangeError);
  });
});

describe('one key of a keyed limiter', () => {
  it.each([
    ['a template', () => keyed({ template: tokenBucket({ clock }) })],
    ['a function', () => keyed({ limiter: () => tokenBucket({ clock }), clock })],
  ])('ends a call by the clock of the limiter: %s', async (_, limiter) => {
    const call = limiter()
      .for('a')
      .execute(() => new Promise(() => undefined), { timeoutMs: 60_000 });
    const ended = expect(call).rejects.toThrow(/60000 ms/);
    await clock.advance(60_000);
    await ended;
    expect(clock.pending).toBe(0);
  });
});

describe('the options of keyed', () => {
  it('must have exactly one of template and limiter', () => {
    const template = tokenBucket({ clock });
    for (const options of [{}, { template, limiter: () => template }, { maxKeys: 5 }]) {
      expect(() => keyed(options as never)).toThrow(/exactly one of template .* and limiter/);
    }
  });

  it.each([
    ['a concurrency limiter', () => concurrency({ clock })],
    ['a keyed limiter', () => keyed({ template: tokenBucket({ clock }) })],
    ['a function', () => () => tokenBucket({ clock })],
    ['an object', () => ({})],
  ])('refuse %s as a template, and say why', (_, make) => {
    expect(() => keyed({ template: make() as never })).toThrow(
      /template must be a rate limiter of this package .* only of these the state can be kept as numbers\. For other limiters pass \{ limiter:/,
    );
  });

  it.each([
    [{ maxKeys: 0 }, RangeError],
    [{ maxKeys: 2 ** 31 }, RangeError],
    [{ idleMs: -1 }, RangeError],
    [{ name: '' }, TypeError],
    [{ clock: {} }, TypeError],
    [{ max: 5 }, TypeError],
  ])('refuse %o', (options, error) => {
    const limiter = () => tokenBucket({ clock });
    expect(() => keyed({ limiter, ...options } as never)).toThrow(error);
  });

  it('refuse the old form with a function', () => {
    expect(() => keyed((() => tokenBucket({ clock })) as never)).toThrow(TypeError);
    expect(() => keyed(null as never)).toThrow(TypeError);
  });
});
