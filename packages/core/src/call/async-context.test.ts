import { AsyncLocalStorage } from 'node:async_hooks';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { ThroughPolicy } from '../../test/through-policy.ts';
import { inCurrentContext } from '../async-context.ts';
import { notify } from '../callbacks.ts';
import type { CallContext } from '../contract.ts';
import { Call } from './context.ts';
import { runWithTimeout } from './timeout.ts';
import { TimeoutQueue } from './timeout-queue.ts';

const storage = new AsyncLocalStorage<string>();
const TENANTS = ['first', 'second', 'third'];

describe('calls that share the timer of a TimeoutQueue', () => {
  it('run abort listeners, continuations and hooks in their own asynchronous context', async () => {
    const clock = new ManualClock();
    const queue = new TimeoutQueue(clock, 50);
    const heard: string[] = [];
    const note = (what: string, tenant: string): void =>
      void heard.push(`${what} of ${tenant} in ${storage.getStore()}`);
    const calls = TENANTS.map((tenant) =>
      storage.run(tenant, async () => {
        const call = new Call();
        try {
          await runWithTimeout(
            ({ signal }) => {
              signal.addEventListener('abort', () => note('listener', tenant));
              return new Promise<never>(() => {});
            },
            call,
            queue,
            () => new Error('too long'),
          );
        } catch {
          note('continuation', tenant);
          notify('timeout', 'onTimeout', () => note('hook', tenant));
        }
      }),
    );
    await storage.run('timer', () => clock.advance(100));
    await Promise.all(calls);
    expect(heard.sort()).toEqual(
      ['continuation', 'hook', 'listener'].flatMap((what) =>
        TENANTS.map((tenant) => `${what} of ${tenant} in ${tenant}`),
      ),
    );
  });

  it('run listeners of nested scopes in the context in which their signal was read', async () => {
    const clock = new ManualClock();
    const queue = new TimeoutQueue(clock, 50);
    const heard: (string | undefined)[] = [];
    const listen = ({ signal }: CallContext): void =>
      signal.addEventListener('abort', () => heard.push(storage.getStore()));
    const timed = storage.run('outer', () =>
      runWithTimeout(
        (scope) => {
          listen(scope);
          storage.run('inner', () => listen((scope as Call).scope()));
          return new Promise<never>(() => {});
        },
        new Call(),
        queue,
        () => new Error('too long'),
      ),
    );
    const outcome = expect(timed).rejects.toThrow('too long');
    await clock.advance(50);
    await outcome;
    expect(heard.sort()).toEqual(['inner', 'outer']);
  });
});

describe('calls that share a signal', () => {
  it('run listeners of their scopes in their own asynchronous context', async () => {
    const policy = new ThroughPolicy(new ManualClock());
    const controller = new AbortController();
    const heard: string[] = [];
    const calls = TENANTS.map((tenant) =>
      storage.run(tenant, () =>
        policy.tryExecute(
          ({ signal }) =>
            new Promise((_, reject) =>
              signal.addEventListener('abort', () => {
                heard.push(`${tenant} in ${storage.getStore()}`);
                reject(signal.reason);
              }),
            ),
          { signal: controller.signal, timeoutMs: 50 },
        ),
      ),
    );
    storage.run('shutdown', () => controller.abort('stop'));
    await Promise.all(calls);
    expect(heard).toEqual(TENANTS.map((tenant) => `${tenant} in ${tenant}`));
  });
});

describe("the caller's own signal", () => {
  it('is passed on uncopied where nothing else can end the call, with its listeners', async () => {
    const policy = new ThroughPolicy(new ManualClock());
    for (const options of [{}, { timeoutMs: 50 }]) {
      const controller = new AbortController();
      const heard: unknown[] = [];
      const call = storage.run('call', () =>
        policy.execute(
          ({ signal }) =>
            new Promise<void>((resolve) =>
              signal.addEventListener('abort', () => {
                heard.push(signal === controller.signal, storage.getStore());
                resolve();
              }),
            ),
          { ...options, signal: controller.signal },
        ),
      );
      storage.run('aborter', () => controller.abort('left'));
      await call;
      const own = !('timeoutMs' in options);
      expect(heard).toEqual([own, own ? 'aborter' : 'call']);
    }
  });
});

describe('inCurrentContext', () => {
  it('runs work in the context of its creation, any number of times', () => {
    const run = storage.run('creation', inCurrentContext);
    const seen: (string | undefined)[] = [];
    storage.run('caller', () => {
      run(() => seen.push(storage.getStore()));
      run(() => seen.push(storage.getStore()));
      seen.push(storage.getStore());
    });
    expect(seen).toEqual(['creation', 'creation', 'caller']);
  });

  it('passes on what the work throws', () => {
    const run = inCurrentContext();
    expect(() =>
      run(() => {
        throw new Error('broken');
      }),
    ).toThrow('broken');
  });
});
