import { AsyncLocalStorage } from 'node:async_hooks';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { CallContext } from './context.ts';
import { runWithTimeout, TimeoutQueue } from './timeout.ts';

describe('what listens for a timeout', () => {
  it('hears it in the asynchronous context of its own call, though calls share a timer', async () => {
    const storage = new AsyncLocalStorage<string>();
    const clock = new ManualClock();
    const queue = new TimeoutQueue(clock, 50);
    const heard: (string | undefined)[] = [];
    const call = (tenant: string): Promise<void> =>
      storage.run(tenant, () =>
        runWithTimeout<void>(
          ({ signal }) => {
            signal.addEventListener('abort', () => heard.push(storage.getStore()));
            return new Promise(() => {});
          },
          new CallContext(),
          queue,
          () => new Error('too long'),
        ),
      );
    const first = call('first').catch(() => {});
    await clock.advance(10);
    const second = call('second').catch(() => {});
    await clock.advance(100);
    await Promise.all([first, second]);
    expect(heard).toEqual(['first', 'second']);
  });
});
