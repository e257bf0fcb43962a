import { getEventListeners } from 'node:events';
import { createContext, runInContext } from 'node:vm';
import { ManualClock, settle } from '@temper/testkit/clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { thenable } from '../../test/thenable.ts';
import { ThroughPolicy } from '../../test/through-policy.ts';
import type { Operation } from '../contract.ts';
import { Call } from './context.ts';
import { invoke, runWithTimeout } from './timeout.ts';
import { TimeoutQueue } from './timeout-queue.ts';

const raise = (error: unknown): never => {
  throw error;
};
const broken = new Error('broken');
const realm = createContext({ broken });

const NO_PROMISE = thenable(5 as never);

/** How each foreign promise must come out: a value, a rejection, or never. */
type Expected = { readonly value: unknown } | { readonly error: unknown } | 'pending';

class OwnThen extends Promise<string> {
  // biome-ignore lint/suspicious/noThenProperty: an overridden `then` is what is tested
  override then(yes?: unknown, no?: unknown): never {
    return super.then(
      (value) => (yes as (value: string) => void)(`${value} by then`),
      no as never,
    ) as never;
  }
}
class Silent extends Promise<string> {
  // biome-ignore lint/suspicious/noThenProperty: an overridden `then` is what is tested
  override then(): never {
    return undefined as never;
  }
}
class Twice extends Promise<string> {
  // biome-ignore lint/suspicious/noThenProperty: an overridden `then` is what is tested
  override then(yes?: unknown): never {
    (yes as (value: string) => void)('first');
    (yes as (value: string) => void)('second');
    throw broken;
  }
}

const PROMISES: [string, () => unknown, Expected][] = [
  ['a plain value', () => 'value', { value: 'value' }],
  ['undefined', () => undefined, { value: undefined }],
  ['an operation that throws', () => raise(broken), { error: broken }],
  ['an operation that throws undefined', () => raise(undefined), { error: undefined }],
  ['a native promise', async () => 'value', { value: 'value' }],
  ['a native rejection', () => Promise.reject(broken), { error: broken }],
  [
    'a getter of then that throws',
    () => Object.defineProperty({}, 'then', { get: () => raise(broken) }),
    { error: broken },
  ],
  ['a then that throws', () => thenable(() => raise(broken)), { error: broken }],
  ['a then that never answers', () => thenable(() => {}), 'pending'],
  ['a then that is no function', () => NO_PROMISE, { value: NO_PROMISE }],
  [
    'one that resolves twice',
    () => thenable<string>((yes) => [yes('first'), yes('second')]),
    { value: 'first' },
  ],
  [
    'one that resolves, then rejects',
    () => thenable<string>((yes, no) => [yes('first'), no(broken)]),
    { value: 'first' },
  ],
  [
    'one that rejects, then resolves',
    () => thenable<string>((yes, no) => [no(broken), yes('late')]),
    { error: broken },
  ],
  [
    'one that resolves, then throws',
    () =>
      thenable<string>((yes) => {
        yes('first');
        throw broken;
      }),
    { value: 'first' },
  ],
  [
    'one that fulfils with a pending promise',
    () => thenable((yes) => yes(new Promise(() => {}))),
    'pending',
  ],
  [
    'one that fulfils with a rejection',
    () => thenable((yes) => yes(Promise.reject(broken))),
    { error: broken },
  ],
  [
    'one that fulfils with another thenable',
    () => thenable((yes) => yes(thenable((next) => next('inner')))),
    { value: 'inner' },
  ],
  [
    'one that fulfils with itself only once it is asked again',
    () => {
      let asked = 0;
      const self: unknown = thenable((yes) => yes(asked++ === 0 ? self : 'second'));
      return self;
    },
    { value: 'second' },
  ],
  ['a subclass with its own then', () => OwnThen.resolve('value'), { value: 'value by then' }],
  ['a rejected subclass with its own then', () => OwnThen.reject(broken), { error: broken }],
  ['a subclass whose then never answers', () => Silent.resolve('value'), 'pending'],
  ['a subclass whose then answers twice and throws', () => Twice.resolve('x'), { value: 'first' }],
  [
    'a native promise with its own then, which await does not ask',
    () => thenable((yes) => yes('own'), Promise.resolve('native')),
    { value: 'native' },
  ],
  [
    'a native promise whose own then throws',
    () => thenable(() => raise(broken), Promise.resolve('native')),
    { value: 'native' },
  ],
  [
    'a native promise whose getter of constructor throws',
    () =>
      Object.defineProperty(Promise.resolve('value'), 'constructor', { get: () => raise(broken) }),
    { error: broken },
  ],
  [
    'a native promise whose constructor is no constructor',
    () => Object.defineProperty(Promise.resolve('value'), 'constructor', { value: 5 }),
    { error: expect.any(TypeError) },
  ],
  [
    'a promise of another realm',
    () => runInContext(`Promise.resolve('value')`, realm),
    { value: 'value' },
  ],
  [
    'a rejection of another realm',
    () => runInContext(`Promise.reject(broken)`, realm),
    { error: broken },
  ],
  [
    'a callable thenable',
    () =>
      thenable(
        (yes) => yes('value'),
        () => {},
      ),
    { value: 'value' },
  ],
  [
    'a proxy of a promise',
    () => new Proxy(Promise.resolve('value'), {}),
    { error: expect.any(TypeError) },
  ],
  [
    'a proxy of a thenable',
    () => new Proxy(thenable((yes) => yes('value')) as object, {}),
    { value: 'value' },
  ],
  [
    'a revoked proxy',
    () => {
      const { proxy, revoke } = Proxy.revocable({}, {});
      revoke();
      return proxy;
    },
    { error: expect.any(TypeError) },
  ],
  ['a frozen thenable', () => Object.freeze(thenable((yes) => yes('value'))), { value: 'value' }],
];

let unhandled: unknown[];
const onUnhandled = (error: unknown): void => void unhandled.push(error);
beforeEach(() => {
  unhandled = [];
  process.on('unhandledRejection', onUnhandled);
});
afterEach(() => void process.off('unhandledRejection', onUnhandled));

/** Records how often a promise settles, and with what. */
function record(promise: Promise<unknown>): unknown[] {
  const seen: unknown[] = [];
  promise.then(
    (value) => seen.push({ value }),
    (error: unknown) => seen.push({ error }),
  );
  return seen;
}

describe.each(PROMISES)('an operation that returns %s', (_, make, expected) => {
  const operation = make as Operation<unknown>;

  it('is adopted as one native promise by invoke', async () => {
    const promise = invoke(operation, new Call());
    expect(Object.getPrototypeOf(promise)).toBe(Promise.prototype);
    const seen = record(promise);
    await settle();
    await settle();
    expect(seen).toEqual(expected === 'pending' ? [] : [expected]);
    expect(unhandled).toEqual([]);
  });

  it('settles once in runWithTimeout, without timer and listener afterwards', async () => {
    const clock = new ManualClock();
    const queue = new TimeoutQueue(clock, 50);
    const { signal } = new AbortController();
    const late = new Error('late');
    const inTime: boolean[] = [];
    const promise = runWithTimeout(
      (scope) => {
        expect(scope.signal.aborted).toBe(false);
        return operation(scope);
      },
      new Call(1, undefined, undefined, signal),
      queue,
      () => late,
      { inTime: (ok) => inTime.push(ok) },
    );
    const seen = record(promise);
    await settle();
    await settle();
    if (expected === 'pending') {
      expect(seen).toEqual([]);
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    } else {
      expect(seen).toEqual([expected]);
      expect(clock.pendingRefed).toBe(0);
    }
    await clock.advance(100);
    expect(seen).toEqual([expected === 'pending' ? { error: late } : expected]);
    expect(inTime).toEqual(expected === 'pending' ? [] : ['value' in expected]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(clock.pending).toBe(0);
    expect(unhandled).toEqual([]);
  });

  it('settles once in a call with timeoutMs, without timer and listener afterwards', async () => {
    const clock = new ManualClock();
    const { signal } = new AbortController();
    const promise = new ThroughPolicy(clock).execute(
      (call) => {
        expect(call.signal.aborted).toBe(false);
        return operation(call);
      },
      { signal, timeoutMs: 50 },
    );
    const seen = record(promise);
    await clock.advance(100);
    const late = { error: expect.objectContaining({ code: 'DEADLINE_EXCEEDED' }) };
    expect(seen).toEqual([expected === 'pending' ? late : expected]);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(clock.pending).toBe(0);
    expect(unhandled).toEqual([]);
  });
});

describe('a thenable', () => {
  it('has its then read once and called once', async () => {
    let [reads, calls] = [0, 0];
    const counted = Object.defineProperty({}, 'then', {
      get() {
        reads++;
        return (yes: (value: string) => void) => {
          calls++;
          yes('value');
        };
      },
    });
    expect(await invoke(() => counted, new Call())).toBe('value');
    const queue = new TimeoutQueue(new ManualClock(), 50);
    const timed = runWithTimeout(
      () => counted,
      new Call(),
      queue,
      () => new Error('late'),
    );
    expect(await timed).toBe('value');
    expect([reads, calls]).toEqual([2, 2]);
  });

  it('that settles after the timeout causes no unhandled rejection', async () => {
    const clock = new ManualClock();
    const queue = new TimeoutQueue(clock, 50);
    const settlers: (() => void)[] = [];
    const operations: (() => unknown)[] = [
      () => thenable((_, no) => settlers.push(() => no(broken))),
      () => thenable((yes) => settlers.push(() => yes('late'))),
      () => thenable((yes) => settlers.push(() => yes(Promise.reject(broken)))),
      () => new Promise((_, no) => settlers.push(() => no(broken))),
    ];
    const seen = operations.map((operation) =>
      record(runWithTimeout(operation, new Call(), queue, () => broken)),
    );
    await clock.advance(50);
    for (const settleIt of settlers) settleIt();
    await settle();
    await settle();
    expect(seen).toEqual(operations.map(() => [{ error: broken }]));
    expect(unhandled).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
