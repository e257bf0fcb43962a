import { AsyncLocalStorage } from 'node:async_hooks';
import { ManualClock, settle } from '@temper/testkit/clock';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { retry } from './retry.ts';

const unhandled = vi.fn();
beforeAll(() => void process.on('unhandledRejection', unhandled));
afterAll(async () => {
  await settle();
  process.off('unhandledRejection', unhandled);
  expect(unhandled).not.toHaveBeenCalled();
});

type Then = (yes: (value: unknown) => void, no: (error?: unknown) => void) => void;
const transient = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
const thenable = (then: Then): PromiseLike<unknown> =>
  Object.defineProperty({}, 'then', { value: then }) as never;

/** What a first attempt returns, how often its `then` is called, and whether a second one is made. */
const PROMISES: [string, Then, 'value' | 'retried' | 'pending'][] = [
  ['resolves at once', (yes) => yes('value'), 'value'],
  ['rejects at once', (_, no) => no(transient), 'retried'],
  [
    'throws',
    () => {
      throw transient;
    },
    'retried',
  ],
  [
    'resolves, then throws',
    (yes) => {
      yes('value');
      throw transient;
    },
    'value',
  ],
  [
    'rejects twice',
    (_, no) => {
      no(transient);
      no(new Error('again'));
    },
    'retried',
  ],
  [
    'resolves, then rejects',
    (yes, no) => {
      yes('value');
      no(transient);
    },
    'value',
  ],
  ['fulfils with a pending promise', (yes) => yes(new Promise(() => {})), 'pending'],
  ['fulfils with a rejection', (yes) => yes(Promise.reject(transient)), 'retried'],
  ['fulfils with another thenable', (yes) => yes(thenable((inner) => inner('value'))), 'value'],
  ['never answers', () => {}, 'pending'],
];

describe.each([undefined, 50])('with an attempt timeout of %s ms', (attemptTimeoutMs) => {
  it.each(PROMISES)('a thenable that %s is adopted exactly once', async (_, then, expected) => {
    const clock = new ManualClock();
    const policy = retry({
      clock,
      maxAttempts: 2,
      ...(attemptTimeoutMs === undefined ? {} : { attemptTimeoutMs }),
    });
    const adopted: number[] = [];
    let attempts = 0;
    const outcome = policy.tryExecute(
      () => {
        const attempt = ++attempts;
        return attempt === 2
          ? 'second'
          : thenable((yes, no) => {
              adopted.push(attempt);
              then(yes, no);
            });
      },
      { timeoutMs: 1000 },
    );
    await clock.advance(5000);
    if (expected === 'value') expect(await outcome).toEqual({ ok: true, value: 'value' });
    else if (expected === 'retried' || attemptTimeoutMs !== undefined) {
      expect(await outcome).toEqual({ ok: true, value: 'second' });
    } else expect(await outcome).toMatchObject({ error: { code: 'DEADLINE_EXCEEDED' } });
    expect(adopted).toEqual([1]);
    expect(clock.pendingRefed).toBe(0);
  });
});

describe('user callbacks', () => {
  it('run in the asynchronous context of their call, whoever ends the wait or the call', async () => {
    for (const end of ['timer', 'abort'] as const) {
      const storage = new AsyncLocalStorage<string>();
      const clock = new ManualClock();
      const controller = new AbortController();
      const heard: [string, unknown][] = [];
      const note = (what: string): void => void heard.push([what, storage.getStore()]);
      const policy = retry({
        clock,
        attemptTimeoutMs: 50,
        maxAttempts: 2,
        delay: () => {
          note('delay');
          return 10;
        },
        shouldHandle: () => {
          note('shouldHandle');
          return true;
        },
        onRetry: () => note('onRetry'),
        onGiveUp: () => note('onGiveUp'),
      });
      policy.onRetry(() => note('onRetry'));
      const calls = ['first', 'second'].map((name) =>
        storage.run(name, () =>
          policy.tryExecute(
            ({ signal }) => {
              note('operation');
              signal.addEventListener('abort', () => note('listener'));
              return new Promise(() => {});
            },
            { signal: controller.signal },
          ),
        ),
      );
      await storage.run('timer', () => clock.advance(55));
      if (end === 'abort') storage.run('aborter', () => controller.abort('left'));
      await storage.run('timer', () => clock.advance(1000));
      await Promise.all(calls);
      for (const name of ['first', 'second']) {
        const own = heard.filter(([, store]) => store === name).map(([what]) => what);
        expect(new Set(own)).toEqual(
          new Set([...['operation', 'listener', 'shouldHandle', 'delay', 'onRetry', 'onGiveUp']]),
        );
      }
      expect(heard.filter(([, store]) => store !== 'first' && store !== 'second')).toEqual([]);
    }
  });
});
