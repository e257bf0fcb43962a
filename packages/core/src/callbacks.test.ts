import { AsyncLocalStorage } from 'node:async_hooks';
import { DiagLogLevel, diag } from '@opentelemetry/api';
import { settle } from '@temper/testkit/clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { thenable } from '../test/thenable.ts';
import { Call } from './call/context.ts';
import { ask, askNumber, decide, Listeners, notify } from './callbacks.ts';

let logged: [message: string, error: unknown][];
let unhandled: unknown[];
const onUnhandled = (error: unknown): void => void unhandled.push(error);

beforeEach(() => {
  logged = [];
  unhandled = [];
  process.on('unhandledRejection', onUnhandled);
  setLogger((message, error) => logged.push([message, error]));
});
afterEach(() => {
  process.off('unhandledRejection', onUnhandled);
  diag.disable();
});

function setLogger(error: (message: string, ...args: unknown[]) => void): void {
  const quiet = (): void => {};
  diag.setLogger(
    { error, warn: quiet, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true },
  );
}

const raise = (error: unknown): never => {
  throw error;
};
const revoked = (target: object): object => {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
};

/** What a callback can do in place of an answer, with the least number of errors that are logged. */
const MISBEHAVIOURS: [string, () => unknown][] = [
  ['throws an error', () => raise(new Error('broken'))],
  ['throws a string', () => raise('broken')],
  ['throws undefined', () => raise(undefined)],
  ['throws null', () => raise(null)],
  ['throws a symbol', () => raise(Symbol('broken'))],
  ['throws a revoked proxy', () => raise(revoked({}))],
  ['returns a promise of true', async () => true],
  ['returns a promise that rejects', () => Promise.reject(new Error('broken'))],
  ['rejects later', () => settle().then(() => raise(new Error('broken')))],
  ['returns a thenable', () => thenable((yes) => yes(true))],
  ['returns a thenable that rejects', () => thenable((_, no) => no())],
  ['returns a thenable that throws', () => thenable(() => raise(new Error('broken')))],
  [
    'returns a callable thenable',
    () =>
      thenable(
        (_, no) => no(),
        () => true,
      ),
  ],
  [
    'returns a thenable whose then getter throws',
    () =>
      Object.defineProperty({}, 'then', {
        get: () => raise(new Error('broken')),
      }),
  ],
  ['returns a revoked proxy', () => revoked({})],
  ['returns a revoked proxy of a function', () => revoked(() => {})],
  [
    'returns a proxy of a promise',
    () => new Proxy(Promise.resolve(true), {}), // its then refuses the proxy as receiver
  ],
];

describe('ask', () => {
  it.each<[unknown, boolean]>([
    [true, true],
    [false, false],
    [1, true],
    ['yes', true],
    [{}, true],
    [[], true],
    [() => false, true],
    [thenable(5 as never), true],
    [0, false],
    ['', false],
    [undefined, false],
    [null, false],
  ])('takes the answer %o as %s', (answer, expected) => {
    expect(ask('retry', 'predicate', () => answer as boolean)).toBe(expected);
    expect(logged).toEqual([]);
  });

  it('passes its arguments on', () => {
    expect(ask('retry', 'predicate', (a: number, b: number) => a < b, 1, 2)).toBe(true);
  });

  it.each(MISBEHAVIOURS)('answers false and logs once or more when it %s', async (_, predicate) => {
    expect(ask('retry', 'predicate', predicate as () => boolean)).toBe(false);
    expect(logged[0]?.[0]).toBe('retry: predicate threw an error; the call continued without it.');
    await settle();
    await settle();
    expect(unhandled).toEqual([]);
  });

  it('logs both that a promise was returned and what it rejects with', async () => {
    const error = new Error('broken');
    ask('retry', 'predicate', (() => Promise.reject(error)) as unknown as () => boolean);
    await settle();
    expect(logged.map(([, each]) => each)).toEqual([
      expect.objectContaining({ name: 'TypeError' }),
      expect.objectContaining({ message: 'broken' }),
    ]);
  });
});

describe('decide', () => {
  it('passes outcome and context to shouldHandle', () => {
    const call = new Call(2);
    const outcome = { ok: true, value: 'pending' } as const;
    const seen: unknown[] = [];
    const answer = decide('retry', (o, c) => seen.push(o, c) > 0, outcome, call);
    expect(answer).toBe(true);
    expect(seen).toEqual([outcome, call]);
  });

  it.each(MISBEHAVIOURS)('answers false and logs once or more when it %s', async (_, predicate) => {
    const outcome = { ok: false, error: new Error('x') } as const;
    expect(decide('retry', predicate as () => boolean, outcome, new Call())).toBe(false);
    expect(logged[0]?.[0]).toMatch(/^retry: shouldHandle threw an error/);
    await settle();
    await settle();
    expect(unhandled).toEqual([]);
  });
});

describe('askNumber', () => {
  it.each([0, 1.5, Number.POSITIVE_INFINITY, undefined])('returns %s', (answer) => {
    expect(askNumber('retry', 'delay', () => answer)).toBe(answer);
    expect(logged).toEqual([]);
  });

  it.each([-1, Number.NaN, '5', null, true, 5n, Symbol('x'), {}, [], () => 5])(
    'returns undefined and logs for %o',
    (answer) => {
      expect(askNumber('retry', 'delay', () => answer as number)).toBeUndefined();
      expect(logged).toEqual([
        [expect.stringContaining('retry: delay'), expect.objectContaining({ name: 'TypeError' })],
      ]);
    },
  );

  it.each(MISBEHAVIOURS)('returns undefined and logs when it %s', async (_, compute) => {
    expect(askNumber('retry', 'delay', compute as () => number)).toBeUndefined();
    expect(logged.length).toBeGreaterThan(0);
    await settle();
    await settle();
    expect(unhandled).toEqual([]);
  });
});

describe('notify', () => {
  it('passes its arguments on, and does nothing without a hook', () => {
    const seen: unknown[] = [];
    notify('retry', 'onRetry', (...args: unknown[]) => seen.push(...args), 1, 'a');
    notify('retry', 'onRetry', undefined, 2);
    expect(seen).toEqual([1, 'a']);
  });

  it.each(MISBEHAVIOURS)('lets the caller go on when it %s', async (_, hook) => {
    notify('retry', 'onRetry', hook);
    await settle();
    await settle();
    expect(unhandled).toEqual([]);
  });

  it('logs an error and a rejection once each, and nothing for a promise of a value', async () => {
    notify('retry', 'onRetry', () => raise('sync'));
    notify('retry', 'onRetry', () => Promise.reject('async'));
    notify('retry', 'onRetry', async () => 'value');
    notify('retry', 'onRetry', () => ({ an: 'object' }));
    await settle();
    expect(logged.map(([, error]) => error)).toEqual(['sync', 'async']);
  });
});

describe('Listeners', () => {
  it('runs queued events in the asynchronous context in which they were emitted', () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: unknown[] = [];
    const listeners = new Listeners<number, [string]>('breaker', 'onChange', (event, word) => {
      if (event === 1) storage.run('second', () => listeners.emit(2, 'b'));
      seen.push([event, word, storage.getStore()]);
    });
    storage.run('first', () => listeners.emit(1, 'a'));
    expect(seen).toEqual([
      [1, 'a', 'first'],
      [2, 'b', 'second'],
    ]);
  });

  it('refuses a listener that is no function', () => {
    const listeners = new Listeners<number>('breaker', 'onChange');
    expect(() => listeners.add('no' as never)).toThrow(
      "breaker: the listener of onChange must be a function, got 'no'.",
    );
  });

  const make = (): Listeners<string> => new Listeners<string>('breaker', 'onChange');

  it('deliver each event in the order of addition until they are removed', () => {
    const heard: string[] = [];
    const listeners = make();
    expect(listeners.empty).toBe(true);
    const listener = (event: string): unknown => heard.push(event);
    const first = listeners.add(listener);
    listeners.add((event) => heard.push(event.toUpperCase()));
    listeners.add(listener);
    listeners.emit('a');
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    listeners.emit('b');
    expect(heard).toEqual(['a', 'A', 'a', 'B', 'b']);
    expect(listeners.empty).toBe(false);
  });

  it('apply additions and removals made by a listener from the next event on', () => {
    const heard: string[] = [];
    const listeners = make();
    const first = listeners.add((event) => {
      heard.push(`first ${event}`);
      first[Symbol.dispose]();
      second[Symbol.dispose]();
      listeners.add((next) => heard.push(`third ${next}`));
    });
    const second = listeners.add((event) => heard.push(`second ${event}`));
    listeners.emit('a');
    expect(heard).toEqual(['first a', 'second a']);
    listeners.emit('b');
    expect(heard).toEqual(['first a', 'second a', 'third b']);
  });

  it('deliver events emitted by a listener after the present one, in one order for all', () => {
    const heard: string[] = [];
    const listeners = make();
    listeners.add((event) => {
      heard.push(`1${event}`);
      if (event === 'a') {
        listeners.emit('b');
        listeners.emit('c');
      }
      if (event === 'b') listeners.emit('d');
    });
    listeners.add((event) => heard.push(`2${event}`));
    listeners.emit('a');
    expect(heard).toEqual(['1a', '2a', '1b', '2b', '1c', '2c', '1d', '2d']);
    listeners.emit('e');
    expect(heard.slice(-2)).toEqual(['1e', '2e']);
  });

  it('deliver an event emitted before the removal of a listener, and none after', () => {
    const heard: string[] = [];
    const listeners = make();
    listeners.add((event) => {
      if (event !== 'a') return;
      listeners.emit('b');
      second[Symbol.dispose]();
    });
    const second = listeners.add((event) => heard.push(event));
    listeners.emit('a');
    expect(heard).toEqual(['a']);
  });

  it.each(MISBEHAVIOURS)('reach the next listener when one %s', async (_, listener) => {
    const heard: string[] = [];
    const listeners = make();
    listeners.add((event) => {
      if (event === 'a') listeners.emit('b');
      return listener();
    });
    listeners.add((event) => heard.push(event));
    listeners.emit('a');
    listeners.emit('c');
    await settle();
    await settle();
    expect(heard).toEqual(['a', 'b', 'c']);
    expect(unhandled).toEqual([]);
  });

  it('log what listeners throw and reject with', async () => {
    const listeners = make();
    listeners.add(() => raise('sync'));
    listeners.add(() => Promise.reject('async'));
    listeners.add(() => thenable((_, no) => no('foreign')));
    listeners.emit('a');
    await settle();
    expect(logged.map(([, error]) => error)).toEqual(['sync', 'foreign', 'async']);
    expect(logged[0]?.[0]).toMatch(/^breaker: onChange threw an error/);
  });
});

describe('a diag logger that throws', () => {
  it.each(MISBEHAVIOURS)('changes no answer when a callback %s', async (_, callback) => {
    setLogger(() => raise(new Error('broken logger')));
    expect(ask('retry', 'predicate', callback as () => boolean)).toBe(false);
    expect(decide('retry', callback as () => boolean, { ok: true, value: 1 }, new Call())).toBe(
      false,
    );
    expect(askNumber('retry', 'delay', callback as () => number)).toBeUndefined();
    notify('retry', 'onRetry', callback);
    const listeners = new Listeners<string>('breaker', 'onChange');
    const heard: string[] = [];
    listeners.add(callback);
    listeners.add((event) => heard.push(event));
    listeners.emit('a');
    listeners.emit('b');
    await settle();
    await settle();
    expect(heard).toEqual(['a', 'b']);
    expect(unhandled).toEqual([]);
  });
});
