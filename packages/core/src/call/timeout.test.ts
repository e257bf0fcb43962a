import { getEventListeners } from 'node:events';
import { ManualClock, settle } from '@temper/testkit/clock';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CallContext } from '../contract.ts';
import { Call } from './context.ts';
import { runWithTimeout } from './timeout.ts';
import { type TimeoutEntry, TimeoutQueue } from './timeout-queue.ts';

describe('TimeoutQueue', () => {
  it('serves a thousand entries with one timer', async () => {
    const clock = new ManualClock();
    const queue = new TimeoutQueue(clock, 100);
    let expired = 0;
    for (let i = 0; i < 1000; i++) {
      queue.add(() => expired++);
      if (i % 100 === 0) await clock.advance(1);
    }
    expect(clock.pending).toBe(1);
    await clock.advance(110);
    expect(expired).toBe(1000);
    expect(clock.pending).toBe(0);
  });

  it('keeps the process alive only while something is pending', async () => {
    const clock = new ManualClock();
    const queue = new TimeoutQueue(clock, 100);
    const first = queue.add(() => {});
    expect(clock.pendingRefed).toBe(1);
    queue.remove(first);
    expect(clock.pendingRefed).toBe(0);
    const second = queue.add(() => {});
    expect(clock.pending).toBe(1);
    expect(clock.pendingRefed).toBe(1);
    queue.remove(second);
    await clock.advance(1000);
    expect(clock.pending).toBe(0);
  });

  it('does not expire an entry early because an older timer was still running', async () => {
    const clock = new ManualClock();
    const queue = new TimeoutQueue(clock, 100);
    queue.remove(queue.add(() => {}));
    await clock.advance(60);
    let expired = false;
    queue.add(() => {
      expired = true;
    });
    await clock.advance(99);
    expect(expired).toBe(false);
    await clock.advance(1);
    expect(expired).toBe(true);
  });

  it('runs the entries behind one whose callback throws', async () => {
    const clock = new ManualClock();
    const queue = new TimeoutQueue(clock, 100);
    let expired = false;
    queue.add(() => {
      throw new Error('broken');
    });
    queue.add(() => {
      expired = true;
    });
    await expect(clock.advance(100)).rejects.toThrow('broken');
    expect(clock.pendingRefed).toBe(1);
    await clock.advance(1);
    expect(expired).toBe(true);
  });

  it('retains no neighbours through a removed entry', () => {
    const queue = new TimeoutQueue(new ManualClock(), 100);
    const first = queue.add(() => {});
    const second = queue.add(() => {});
    queue.add(() => {});
    queue.remove(second);
    queue.remove(first);
    for (const gone of [first, second]) {
      expect(gone).toMatchObject({ callback: undefined, previous: undefined, next: undefined });
    }
    queue.remove(first); // again: no effect
  });

  it('does what a plain list would do, whatever is added, removed and waited for', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('add' as const) }),
      fc.record({ kind: fc.constant('remove' as const), which: fc.nat(30) }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 150 }) }),
    );
    const reach = new Reach('expired', 'removed', 'removed too late');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const clock = new ManualClock();
        const queue = new TimeoutQueue(clock, 100);
        const entries: TimeoutEntry[] = [];
        const happened: { id: number; at: number }[] = [];
        const model: { id: number; at: number; live: boolean }[] = [];
        const expected: { id: number; at: number }[] = [];
        for (const step of steps) {
          if (step.kind === 'add') {
            const id = entries.length;
            entries.push(queue.add(() => happened.push({ id, at: clock.monotonic() })));
            model.push({ id, at: clock.monotonic() + 100, live: true });
          } else if (step.kind === 'remove') {
            const entry = entries[step.which];
            const row = model[step.which];
            if (entry === undefined || row === undefined) continue;
            queue.remove(entry);
            reach.count(row.live ? 'removed' : 'removed too late');
            row.live = false;
          } else {
            await clock.advance(step.ms);
            for (const row of model) {
              if (!row.live || row.at > clock.monotonic()) continue;
              row.live = false;
              reach.count('expired');
              expected.push({ id: row.id, at: row.at });
            }
          }
          expect(happened).toEqual(expected);
          expect(clock.pending).toBeLessThanOrEqual(1);
          expect(clock.pendingRefed).toBe(model.some((row) => row.live) ? 1 : 0);
        }
      }),
      { numRuns: 100 },
    );
    reach.expectAll(20);
  });
});

describe('runWithTimeout', () => {
  const timedOut = new Error('timed out');
  const setUp = (ms = 100): { clock: ManualClock; queue: TimeoutQueue } => {
    const clock = new ManualClock();
    return { clock, queue: new TimeoutQueue(clock, ms) };
  };
  const run = <T>(
    queue: TimeoutQueue,
    operation: (context: CallContext) => T | PromiseLike<T>,
    context = new Call(),
  ): Promise<T> => runWithTimeout(operation, context, queue, () => timedOut);

  it('aborts the scope and rejects with the same error when the time is up', async () => {
    const { clock, queue } = setUp();
    let reason: unknown;
    const call = run(queue, ({ signal }) => {
      signal.addEventListener('abort', () => {
        reason = signal.reason;
      });
      return new Promise<never>(() => {});
    });
    const outcome = call.catch((error: unknown) => error);
    await clock.advance(100);
    expect(await outcome).toBe(timedOut);
    expect(reason).toBe(timedOut);
  });

  it('times out thenables, callable ones included', async () => {
    const { clock, queue } = setUp();
    const thenable = Object.assign(() => {}, {
      // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested
      then: () => {},
    }) as unknown as PromiseLike<never>;
    const outcome = run(queue, () => thenable).catch((error: unknown) => error);
    await clock.advance(100);
    expect(await outcome).toBe(timedOut);
  });

  it('drops a value or error that arrives after the timeout', async () => {
    const { clock, queue } = setUp();
    const late = run(queue, () => clock.sleep(150).then(() => Promise.reject(new Error('late'))));
    await expect(clock.runUntil(late)).rejects.toBe(timedOut);
    const value = run(queue, () => clock.sleep(150).then(() => 'late'));
    await expect(clock.runUntil(value)).rejects.toBe(timedOut);
    await clock.advance(1000);
    expect(clock.pending).toBe(0);
  });

  it('returns a value that was ready before the timer ran', async () => {
    const { clock, queue } = setUp();
    const call = run(queue, async () => {
      clock.jump(200); // the event loop was held up
      await settle();
      return 'done';
    });
    await expect(call).resolves.toBe('done');
  });

  it('leaves no listener on the signal of the call, however it ends', async () => {
    const { clock, queue } = setUp();
    const { signal } = new AbortController();
    const context = new Call(1, undefined, undefined, signal);
    const look = (result: unknown) => (own: CallContext) => {
      expect(own.signal.aborted).toBe(false);
      return result;
    };
    await run(queue, look('value'), context);
    await run(queue, look(Promise.resolve('value')), context);
    await run(queue, look(Promise.reject(new Error('no'))), context).catch(() => undefined);
    const hung = run(queue, look(new Promise(() => {})), context).catch(() => undefined);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    await clock.advance(100);
    await hung;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(clock.pendingRefed).toBe(0);
  });
});
