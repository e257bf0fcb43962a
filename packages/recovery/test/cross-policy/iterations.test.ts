import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { Readable } from 'node:stream';
import { circuitBreaker } from '@temper/breaker';
import type { CallContext, Policy } from '@temper/core';
import { concurrency } from '@temper/ratelimit';
import { retry } from '@temper/retry';
import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import {
  cached,
  fallback,
  hedge,
  type PipelinePolicy,
  pipeline,
  timeout,
} from '../../src/index.ts';
import { KIND_NAMES, KINDS, type Kind, transient } from './catalogue.ts';

const make = (kind: Kind, clock: ManualClock): Policy => KINDS[kind](clock) as unknown as Policy;

const collect = async (items: AsyncIterable<unknown>): Promise<unknown[]> => {
  const seen: unknown[] = [];
  for await (const item of items) seen.push(item);
  return seen;
};
const fails = (error: Error): AsyncIterable<never> => ({
  [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(error) }),
});
const errorOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'resolved',
    (error: unknown) => error,
  );

describe.each(KIND_NAMES)('an async generator under %s', (kind) => {
  it('is guarded by execute and by wrap, with items, return value and what is sent kept', async () => {
    const clock = new ManualClock();
    const policy = make(kind, clock);
    async function* count(this: unknown, to: number): AsyncGenerator<number, string, string> {
      const sent: unknown[] = [];
      for (let i = 1; i <= to; i++) sent.push(yield i);
      return `${sent.join()} by ${this}`;
    }
    const ways = [
      () =>
        policy.execute(async function* () {
          return yield* count.call('me', 2);
        }),
      async () => policy.wrap(count).call('me', 2),
    ];
    for (const way of ways) {
      const call = (async () => {
        const items = await way();
        return [
          await items.next('ignored'),
          await items.next('a'),
          await items.next('b'),
          await items.next('c'),
        ];
      })();
      expect(await clock.runUntil(call)).toEqual([
        { done: false, value: 1 },
        { done: false, value: 2 },
        { done: true, value: 'a,b by me' },
        { done: true, value: undefined },
      ]);
    }
    expect(policy.wrap(count).name).toBe('count');
  });

  it('delivers all items to each of several consumers, at the same time and one after the other', async () => {
    const clock = new ManualClock();
    const policy = make(kind, clock);
    let number = 0;
    const iterate = async (): Promise<unknown[]> => {
      const own = ++number;
      const items = await policy.execute(
        async function* () {
          yield own;
          await clock.sleep(10);
          yield own;
        },
        { key: 'same' },
      );
      return collect(items);
    };
    const both = Promise.all([iterate(), iterate()]);
    expect(await clock.runUntil(both)).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(await clock.runUntil(iterate())).toEqual([3, 3]);
    const failing = policy.wrap(
      async function* () {
        yield* fails(new Error('own'));
      },
      { key: 'same' },
    );
    const outcome = await clock.runUntil(collect(failing()).catch((error: Error) => error.message));
    // What the fallback of the suite answers with has no items.
    expect(outcome).toMatch(kind === 'fallback' ? /'second best', which is not iterable/ : /^own$/);
  });

  it('begins no call before its first item is asked for', async () => {
    const clock = new ManualClock();
    let begun = 0;
    const items = await make(kind, clock).execute(async function* () {
      begun++;
      yield 1;
    });
    await settle();
    expect(begun).toBe(0);
    await clock.runUntil(collect(items));
    expect(begun).toBe(1);
  });

  it('has its finally blocks run, and its call ended, when the consumer leaves', async () => {
    for (const way of ['break', 'throw'] as const) {
      const clock = new ManualClock();
      const controller = new AbortController();
      let closed = 0;
      const items = await make(kind, clock).execute(
        async function* ({ signal }) {
          void signal;
          try {
            for (let i = 1; ; i++) yield i;
          } finally {
            closed++;
          }
        },
        { signal: controller.signal, timeoutMs: 1000 },
      );
      const consume = async (): Promise<void> => {
        for await (const item of items) {
          if (item < 3) continue;
          if (way === 'break') break;
          throw new Error('enough');
        }
      };
      await clock.runUntil(errorOf(consume()));
      expect(closed).toBe(1);
      await settle();
      expect(clock.pendingRefed).toBe(0);
      expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    }
  });

  it('is left, and has not failed, when the consumer throws an error of its own into it', async () => {
    const clock = new ManualClock();
    const inner = circuitBreaker({ clock, failureThreshold: 1 });
    const policy = pipeline({ clock }, make(kind, clock), inner);
    async function* items(): AsyncGenerator<number> {
      yield 1;
      yield 2;
    }
    const read = policy.wrap(items);
    const own = new Error('client disconnected');
    const thrownIn = async (): Promise<unknown> => {
      const iterator = read();
      await iterator.next();
      return errorOf(iterator.throw(own));
    };
    expect(await clock.runUntil(thrownIn())).toBe(own);
    // As an HTTP server does with a body whose client has left.
    const body = Readable.from(read());
    const closed = new Promise<void>((resolve) => body.once('close', resolve));
    body.once('data', () => body.destroy(own));
    body.on('error', () => {});
    await clock.runUntil(closed);
    expect(inner.stats()).toMatchObject({ state: 'closed', calls: { failure: 0, success: 2 } });
    expect(await clock.runUntil(collect(read()))).toEqual([1, 2]);
  });

  it('is ended between two items by the caller and by the deadline', async () => {
    for (const end of ['caller', 'deadline'] as const) {
      const clock = new ManualClock();
      const controller = new AbortController();
      let closed = 0;
      let seen: CallContext | undefined;
      const items = await make(kind, clock).execute(
        async function* (call) {
          seen = call;
          try {
            for (let i = 1; ; i++) yield i;
          } finally {
            closed++;
          }
        },
        { signal: controller.signal, timeoutMs: 100 },
      );
      await clock.runUntil(items.next());
      await items.next();
      if (end === 'caller') controller.abort('left');
      else await clock.advance(200);
      await settle();
      expect([seen?.signal.aborted, seen?.endedBy, closed]).toEqual([true, end, 1]);
      const error = await errorOf(items.next());
      if (end === 'caller') expect(error).toBe('left');
      else expect(error).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
      expect(await items.next()).toEqual({ done: true, value: undefined });
      expect(clock.pendingRefed).toBe(0);
    }
  });

  it('is ended by the deadline while its generator hangs', async () => {
    for (const items of [0, 2]) {
      const clock = new ManualClock();
      const generator = await make(kind, clock).execute(
        async function* () {
          for (let i = 0; i < items; i++) yield i;
          await new Promise(() => {});
        },
        { timeoutMs: 100 },
      );
      const all = errorOf(collect(generator));
      await clock.advance(600);
      expect(await all).toMatchObject({ code: 'DEADLINE_EXCEEDED' });
      expect(clock.pendingRefed).toBe(0);
    }
  });

  it('makes one attempt when it fails after its first item, and passes the error on', async () => {
    const clock = new ManualClock();
    let attempts = 0;
    const error = transient('cut');
    const items = await make(kind, clock).execute(async function* () {
      attempts++;
      yield 'first';
      throw error;
    });
    const seen: unknown[] = [];
    const all = errorOf(
      (async () => {
        for await (const item of items) seen.push(item);
      })(),
    );
    expect(await clock.runUntil(all)).toBe(error);
    expect([seen, attempts]).toEqual([['first'], 1]);
  });

  it('runs in the asynchronous context of its call', async () => {
    const clock = new ManualClock();
    const storage = new AsyncLocalStorage<string>();
    const stores: unknown[] = [];
    const items = await make(kind, clock).execute(async function* () {
      for (let i = 0; i < 3; i++) {
        stores.push(storage.getStore());
        yield i;
      }
    });
    await clock.runUntil(storage.run('call', () => items.next()));
    await storage.run('elsewhere', () => collect(items));
    expect(stores).toEqual(['call', 'call', 'call']);
  });
});

describe('what a policy sees of an iteration', () => {
  it('retry: makes further attempts before the first item, with only the items of the last', async () => {
    const clock = new ManualClock();
    const policy = retry({ clock, maxAttempts: 3 });
    let attempts = 0;
    const items = await policy.execute(async function* ({ attempt }) {
      attempts++;
      if (attempt < 3) throw transient('down');
      yield attempt;
      yield 'last';
    });
    expect(await clock.runUntil(collect(items))).toEqual([3, 'last']);
    expect(attempts).toBe(3);
    expect(policy.stats().operations).toMatchObject({ recovered: 1 });
  });

  it('breaker: an error after the first item counts as a failure, and a consumer that leaves does not', async () => {
    const clock = new ManualClock();
    const policy = circuitBreaker({ clock, failureThreshold: 2 });
    const source = policy.wrap(async function* (fails: boolean) {
      yield 1;
      if (fails) throw transient('cut');
      yield 2;
    });
    for (let i = 0; i < 5; i++) for await (const _ of source(false)) break;
    expect(policy.stats().state).toBe('closed');
    for (let i = 0; i < 2; i++) await errorOf(collect(source(true)));
    expect(policy.stats().state).toBe('open');
    expect(await errorOf(collect(source(false)))).toMatchObject({ code: 'CIRCUIT_OPEN' });
  });

  it('breaker: what the generator makes of an error that was thrown into it is its own', async () => {
    const breaker = circuitBreaker({ clock: new ManualClock(), failureThreshold: 1 });
    const items = breaker.wrap(async function* () {
      try {
        yield 1;
      } catch {
        yield 2;
        throw transient('rollback failed');
      }
    });
    const iterator = items();
    await iterator.next();
    expect(await iterator.throw(new Error('own'))).toEqual({ done: false, value: 2 });
    expect(await errorOf(iterator.next())).toMatchObject({ message: 'rollback failed' });
    expect(breaker.stats()).toMatchObject({ state: 'open', calls: { failure: 1 } });
  });

  it('bulkhead: an iteration keeps its place until it ends', async () => {
    const clock = new ManualClock();
    const policy = concurrency({ clock, limit: 1, maxQueue: 0 });
    const source = policy.wrap(async function* () {
      yield 1;
      yield 2;
    });
    const first = source();
    await first.next();
    expect(await errorOf(source().next())).toMatchObject({ refused: true });
    await first.return(undefined);
    expect(await collect(source())).toEqual([1, 2]);
  });

  it('timeout: the whole iteration has to end in time', async () => {
    const clock = new ManualClock();
    const items = await timeout({ clock, timeoutMs: 100 }).execute(async function* () {
      for (let i = 0; ; i++) {
        yield i;
        await clock.sleep(30);
      }
    });
    const all = errorOf(collect(items));
    await clock.advance(200);
    expect(await all).toMatchObject({ code: 'OPERATION_TIMEOUT' });
  });

  it('retry with timed attempts: one that is late delivers nothing', async () => {
    const clock = new ManualClock();
    const items = await retry({ clock, attemptTimeoutMs: 50, maxAttempts: 2 }).execute(
      async function* ({ attempt }) {
        if (attempt === 1) await clock.sleep(80);
        yield attempt;
        await clock.sleep(10);
        yield 'last';
      },
    );
    const all = collect(items);
    await clock.advance(5000);
    expect(await all).toEqual([2, 'last']);
    expect(clock.pendingRefed).toBe(0);
  });

  it('hedge: the attempt with the first item delivers all of them', async () => {
    const clock = new ManualClock();
    const closed: number[] = [];
    let attempts = 0;
    const items = await hedge({ clock, delayMs: 20, maxExtraLoad: 1 }).execute(async function* () {
      const attempt = ++attempts;
      try {
        await clock.sleep(attempt === 1 ? 100 : 10);
        for (let i = 0; i < 3; i++) {
          yield `${attempt}.${i}`;
          await clock.sleep(60);
        }
      } finally {
        closed.push(attempt);
      }
    });
    const all = collect(items);
    await clock.advance(1000);
    expect(await all).toEqual(['2.0', '2.1', '2.2']);
    expect(closed.sort()).toEqual([1, 2]);
  });

  it('hedge: makes no further attempt once an item is delivered, however slow the rest is', async () => {
    const clock = new ManualClock();
    let attempts = 0;
    const items = await hedge({ clock, delayMs: 20, maxExtraLoad: 1 }).execute(async function* () {
      attempts++;
      yield 'first';
      await clock.sleep(500);
      throw transient('cut');
    });
    const all = errorOf(collect(items));
    await clock.advance(1000);
    expect(await all).toMatchObject({ message: 'cut' });
    expect(attempts).toBe(1);
  });

  it('fallback: is not asked once an item is delivered', async () => {
    const clock = new ManualClock();
    let asked = 0;
    const policy = fallback({ clock, handler: () => ++asked });
    const items = await policy.execute(async function* () {
      yield 'first';
      throw transient('cut');
    });
    expect(await errorOf(collect(items))).toMatchObject({ message: 'cut' });
    expect(asked).toBe(0);
    expect(policy.stats()).toMatchObject({ calls: { failure: 1 } });
  });

  it('fallback: answers before the first item with anything iterable, and not after it', async () => {
    const clock = new ManualClock();
    const down = async function* (items: number): AsyncGenerator<unknown, void, undefined> {
      for (let i = 0; i < items; i++) yield i;
      throw transient('down');
    };
    const answer = (value: unknown) => fallback({ clock, handler: () => value }).wrap(down);
    expect(await collect(answer(['a', 'b'])(0))).toEqual(['a', 'b']);
    async function* others() {
      yield 'c';
    }
    expect(await collect(answer(others())(0))).toEqual(['c']);
    expect(await errorOf(collect(answer('text')(0)))).toBeInstanceOf(TypeError);
    expect(await errorOf(collect(answer(['a'])(1)))).toMatchObject({ message: 'down' });
  });

  it('pipeline: everything together', async () => {
    const clock = new ManualClock();
    const limit = concurrency({ clock, limit: 1 });
    const policy: PipelinePolicy = pipeline(
      { clock },
      retry({ clock, maxAttempts: 3 }),
      limit,
      circuitBreaker({ clock }),
      timeout({ clock, timeoutMs: 1000 }),
    );
    let attempts = 0;
    const source = policy.wrap(async function* () {
      if (++attempts < 3) throw transient('down');
      yield 1;
      yield 2;
    });
    expect(await clock.runUntil(collect(source()))).toEqual([1, 2]);
    expect(limit.stats()).toMatchObject({ inFlight: 0 });
  });

  it.each([{}, { freshMs: 1000 }, { singleFlight: true }, { freshMs: 1000, singleFlight: true }])(
    'passes a cache with %j: it is neither kept nor shared, and no old answer stands for it',
    async (options) => {
      const policy = cached({ clock: new ManualClock(), key: () => 'k', ...options });
      const numbers = async function* (): AsyncGenerator<number> {
        yield 1;
        await settle();
        yield 2;
      };
      const iterate = async () => collect(await policy.execute(numbers));
      expect(await Promise.all([iterate(), iterate()])).toEqual([
        [1, 2],
        [1, 2],
      ]);
      expect(await iterate()).toEqual([1, 2]);
      expect(policy.stats().keys).toBe(0);
      await policy.execute(() => 'value');
      const failing = policy.wrap(async function* () {
        yield* fails(transient('own'));
      });
      expect(await errorOf(collect(failing()))).toMatchObject({ message: 'own' });
      // A call from inside the iteration is one of its own.
      const inside = policy.wrap(async function* (): AsyncGenerator<unknown> {
        yield await policy.execute(() => 'other', { key: 'k' });
      });
      const expected = 'freshMs' in options ? 'value' : 'other';
      expect(await collect(inside())).toEqual([expected]);
      const joined = await policy.execute(async function* (call) {
        yield await policy.execute(() => 'joined', { parent: call });
      });
      expect(await collect(joined)).toEqual(['freshMs' in options ? 'value' : 'joined']);
      expect(await policy.execute(() => 'last')).toBe('freshMs' in options ? 'value' : 'last');
    },
  );

  it('is refused at once with options that no call may have', async () => {
    const policy = retry();
    const generator = async function* (): AsyncGenerator<number> {
      yield 1;
    };
    await expect(policy.execute(generator, { timeout: 5 } as never)).rejects.toThrow(TypeError);
    expect(() => policy.wrap(generator, { timeout: 5 } as never)).toThrow(TypeError);
  });
});
