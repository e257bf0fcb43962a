import { AsyncLocalStorage } from 'node:async_hooks';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { Call } from './context.ts';
import { runWithTimeout, TimeoutQueue } from './timeout.ts';

describe('abort listeners on call.signal', () => {
  it('run in the asynchronous context of their own call when calls share a timer', async () => {
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
          new Call(),
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
