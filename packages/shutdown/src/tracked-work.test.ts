import { describe, expect, it, vi } from 'vitest';
import { never, setUp } from '../test/virtual-shutdown.ts';
import type { GracefulShutdown } from './index.ts';
import { HANDLER_ORDERS } from './phases.ts';

type Clock = ReturnType<typeof setUp>['clock'];

/** Ways to track a promise at some moment of the shutdown. `work` resolves `ended` when it has ended. */
const MOMENTS: readonly [
  when: string,
  track: (shutdown: GracefulShutdown, clock: Clock, work: () => Promise<void>) => void,
][] = [
  ['before the shutdown', (shutdown, _clock, work) => shutdown.track(work())],
  [
    'in the intake phase',
    (shutdown, clock, work) =>
      shutdown.register({
        phase: 'intake',
        run: () => clock.sleep(10).then(() => void shutdown.track(work())),
      }),
  ],
  [
    'during the drain, by the last request',
    (shutdown, clock, work) =>
      shutdown.register({
        phase: 'drain',
        run: () => clock.sleep(10).then(() => void shutdown.track(work())),
      }),
  ],
  [
    'during the drain, after earlier tracked work has ended',
    (shutdown, clock, work) => {
      shutdown.track(Promise.resolve());
      shutdown.register({
        phase: 'drain',
        run: () => clock.sleep(10).then(() => void shutdown.track(work())),
      });
    },
  ],
  [
    'in the microtask in which earlier tracked work ends',
    (shutdown, clock, work) => {
      shutdown.track(clock.sleep(10)).then(() => void shutdown.track(work()));
    },
  ],
  [
    'by tracked work, repeatedly',
    (shutdown, clock, work) => {
      const next = async (left: number): Promise<void> => {
        await clock.sleep(10);
        void shutdown.track(left === 0 ? work() : next(left - 1));
      };
      shutdown.track(next(20));
    },
  ],
  [
    'in the close phase',
    (shutdown, clock, work) => {
      shutdown.track(Promise.resolve());
      shutdown.register(() => clock.sleep(10).then(() => void shutdown.track(work())));
    },
  ],
  [
    'by a late handler',
    (shutdown, clock, work) => {
      shutdown.register(() => {
        shutdown.register({
          phase: 'intake',
          run: () => clock.sleep(10).then(() => void shutdown.track(work())),
        });
      });
    },
  ],
];

describe('tracked work', () => {
  describe.each(HANDLER_ORDERS)('with a drain phase of order %s', (order) => {
    it.each(MOMENTS)('is waited for when it is added %s', async (_when, track) => {
      const exported = vi.fn();
      const { clock, shutdown } = setUp({
        phases: ['intake', { name: 'drain', order }, 'close'],
        telemetry: { shutdown: async () => exported(shutdown.inFlight()) },
      });
      const ended = vi.fn();
      track(shutdown, clock, () => clock.sleep(500).then(ended));
      const report = await clock.runUntil(shutdown.shutdown());
      expect(ended).toHaveBeenCalledTimes(1);
      expect(report).toMatchObject({ outcome: 'completed', inFlight: 0 });
      expect(exported).toHaveBeenCalledExactlyOnceWith(0);
    });
  });

  it.each(MOMENTS.slice(0, 6))(
    'ends before the close phase when added %s',
    async (_when, track) => {
      const { clock, shutdown } = setUp();
      const events: string[] = [];
      shutdown.register({ name: 'database', run: () => void events.push('database closed') });
      track(shutdown, clock, () => clock.sleep(500).then(() => void events.push('work ended')));
      await clock.runUntil(shutdown.shutdown());
      expect(events).toEqual(['work ended', 'database closed']);
    },
  );

  it('waits for work that was added after other work that hangs', async () => {
    const { clock, shutdown } = setUp({ handlerTimeoutMs: 1000 });
    const ended = vi.fn();
    shutdown.track(never());
    shutdown.register({
      phase: 'drain',
      timeoutMs: 2000,
      run: () => clock.sleep(900).then(() => void shutdown.track(clock.sleep(600).then(ended))),
    });
    const report = await clock.runUntil(shutdown.shutdown());
    expect(ended).toHaveBeenCalledTimes(1);
    expect(report).toMatchObject({
      outcome: 'timed_out',
      durationMs: 1500,
      inFlight: 1,
      hung: ['drain/tracked work'],
    });
  });

  it('waits once, not once per promise, for work that hangs', async () => {
    const { clock, shutdown } = setUp({ handlerTimeoutMs: 1000 });
    for (let n = 0; n < 100; n++) shutdown.track(never());
    const report = await clock.runUntil(shutdown.shutdown());
    expect(report.durationMs).toBe(1000);
    expect(report.handlers).toHaveLength(1);
  });

  it('never extends the shutdown beyond timeoutMs, however much work is added', async () => {
    const { clock, shutdown } = setUp({ timeoutMs: 5000, flushTimeoutMs: 1000 });
    const endless = async (): Promise<void> => {
      await clock.sleep(7);
      void shutdown.track(endless());
    };
    shutdown.track(endless());
    const report = await clock.runUntil(shutdown.shutdown(), 10_000);
    expect(report).toMatchObject({ outcome: 'timed_out', durationMs: 4000, inFlight: 1 });
    // Work does not cause a handler each, neither before nor after the end.
    expect(report.handlers.length).toBeLessThanOrEqual(2);
    await clock.advance(1000);
    expect(shutdown.stats().handlers.skipped).toBeLessThanOrEqual(1);
  });

  it('adds no handler after a forced shutdown', async () => {
    const { clock, shutdown } = setUp();
    shutdown.track(never());
    const running = shutdown.shutdown();
    await clock.advance(10);
    shutdown.force();
    const report = await running;
    for (let n = 0; n < 10; n++) shutdown.track(never());
    expect(report.handlers).toHaveLength(1);
    expect(shutdown.stats().handlers).toMatchObject({ timed_out: 1, skipped: 0 });
    expect(shutdown.inFlight()).toBe(11);
  });
});

describe('late handlers', () => {
  it('waits for a handler registered by a late handler, and for one registered during the export', async () => {
    const ended: string[] = [];
    const { clock, shutdown } = setUp({
      auditLog: {
        close: () => void shutdown.register(() => clock.sleep(100).then(() => ended.push('audit'))),
      },
      telemetry: {
        forceFlush: async () =>
          void shutdown.register(() => clock.sleep(100).then(() => ended.push('telemetry'))),
      },
    });
    shutdown.register({
      phase: 'flush',
      run: () => {
        shutdown.register({
          phase: 'intake',
          run: async () => {
            await clock.sleep(100);
            shutdown.register({
              phase: 'intake',
              run: () => clock.sleep(100).then(() => ended.push('nested')),
            });
          },
        });
      },
    });
    const report = await clock.runUntil(shutdown.shutdown());
    expect(ended).toEqual(['nested', 'audit', 'telemetry']);
    expect(report).toMatchObject({ outcome: 'completed', durationMs: 400 });
  });
});
