import { ManualClock, settle } from '@temper/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Leaving } from './leaving.ts';
import type { GracefulShutdownOptions } from './options.ts';
import { type GracefulShutdown, gracefulShutdown } from './shutdown.ts';

// Emitted on the real `process`, by hand: nobody else listens to these two.
const FIRST = 'SIGUSR2';
const OTHER = 'SIGWINCH';

const made: GracefulShutdown[] = [];
afterEach(() => {
  for (const shutdown of made.splice(0)) shutdown[Symbol.dispose]();
  expect(process.listenerCount(FIRST)).toBe(0);
});

function setUp(options: GracefulShutdownOptions = {}) {
  const clock = new ManualClock();
  const leaving = {
    exit: vi.fn(),
    setExitCode: vi.fn(),
    handles: () => ['a leaked timer'],
    log: vi.fn(),
  } satisfies Leaving;
  const shutdown = gracefulShutdown({
    signals: [FIRST, OTHER],
    delayMs: 0,
    clock,
    leaving,
    ...options,
  });
  made.push(shutdown);
  return { clock, leaving, shutdown };
}

const never = () => new Promise<never>(() => {});

describe('listening', () => {
  it('begins when it is asked for, and not before', () => {
    const listeners = () =>
      ['SIGTERM', 'SIGINT', 'uncaughtException', 'unhandledRejection'].map((event) =>
        process.listenerCount(event),
      );
    const before = listeners();
    const shutdown = gracefulShutdown({ uncaughtExceptions: true });
    made.push(shutdown);
    expect(listeners()).toEqual(before);
    const listening = shutdown.listen();
    expect(listeners()).toEqual(before.map((count, index) => count + (index < 3 ? 1 : 0)));
    shutdown.listen();
    expect(listeners()).toEqual(before.map((count, index) => count + (index < 3 ? 1 : 0)));
    listening[Symbol.dispose]();
    expect(listeners()).toEqual(before);
  });
});

describe('a signal', () => {
  it('begins the shutdown, sets the exit code, and lets the process end by itself', async () => {
    const { clock, leaving, shutdown } = setUp();
    process.emit(FIRST, FIRST);
    expect(shutdown.ready).toBe(false);
    await settle();
    expect(shutdown.stats().report).toMatchObject({
      reason: { kind: 'signal', signal: FIRST },
      outcome: 'completed',
    });
    expect(leaving.setExitCode).toHaveBeenCalledWith(0);
    expect(leaving.exit).not.toHaveBeenCalled();
    expect(clock.pending).toBe(1);
    expect(clock.pendingRefed).toBe(0);
  });

  it('ends the process when something still holds it after a while, and says what', async () => {
    const { clock, leaving } = setUp({ lingerMs: 500 });
    process.emit(FIRST, FIRST);
    await clock.advance(500);
    expect(leaving.log).toHaveBeenCalledWith(
      'The shutdown is over, and after 500 ms the event loop is still held by: a leaked timer. Leaving with exit code 0.',
    );
    expect(leaving.exit).toHaveBeenCalledWith(0);
  });

  it('ends no process when the user does not want it to', async () => {
    const { clock, leaving } = setUp({ exit: false });
    process.emit(FIRST, FIRST);
    await clock.advance(10_000);
    expect(leaving.setExitCode).not.toHaveBeenCalled();
    expect(leaving.exit).not.toHaveBeenCalled();
  });

  it('that comes while a shutdown was called for joins it, and then ends the process', async () => {
    const { clock, leaving, shutdown } = setUp();
    shutdown.register(() => clock.sleep(300));
    const called = shutdown.shutdown();
    await clock.advance(100);
    process.emit(FIRST, FIRST);
    await clock.advance(200);
    await called;
    await settle();
    expect(leaving.exit).not.toHaveBeenCalled();
    expect(leaving.setExitCode).toHaveBeenCalledWith(0);
  });

  it('has the exit code that the user wants, if it is one', async () => {
    for (const [exitCode, code] of [
      [() => 75, 75],
      [() => 4711, 0],
      [
        () => {
          throw new Error('no');
        },
        0,
      ],
    ] as const) {
      const { leaving, shutdown } = setUp({ exitCode });
      process.emit(FIRST, FIRST);
      await settle();
      expect(leaving.setExitCode).toHaveBeenCalledWith(code);
      shutdown[Symbol.dispose]();
    }
  });
});

describe('a second signal', () => {
  it.each([FIRST, OTHER] as const)(
    '%s forces, and names what it does not wait for',
    async (second) => {
      const { clock, leaving, shutdown } = setUp();
      shutdown.register({ name: 'db', run: never });
      process.emit(FIRST, FIRST);
      await clock.advance(200);
      process.emit(second, second);
      expect(leaving.exit).toHaveBeenCalledWith(second === 'SIGUSR2' ? 140 : 156);
      expect(leaving.log).toHaveBeenCalledWith(
        `Shutdown 'shutdown' is forced by a second signal, ${second}; still running: close/db.`,
      );
    },
  );

  it('within the time of one signal is the same signal', async () => {
    const { clock, leaving, shutdown } = setUp();
    shutdown.register({ name: 'db', run: never });
    process.emit(FIRST, FIRST);
    process.emit(FIRST, FIRST);
    await clock.advance(199);
    process.emit(OTHER, OTHER);
    expect(leaving.exit).not.toHaveBeenCalled();
  });

  it('ends the patience only, when the user does not want the process to be ended', async () => {
    const { clock, leaving, shutdown } = setUp({ exit: false });
    shutdown.register({ name: 'db', run: never });
    process.emit(FIRST, FIRST);
    await clock.advance(1000);
    process.emit(FIRST, FIRST);
    await settle();
    expect(leaving.exit).not.toHaveBeenCalled();
    expect(shutdown.stats().report).toMatchObject({ outcome: 'forced', exitCode: 140 });
  });

  it('after the shutdown ends a process that lingers, with the code it has', async () => {
    const { clock, leaving } = setUp();
    process.emit(FIRST, FIRST);
    await clock.advance(300);
    process.emit(FIRST, FIRST);
    expect(leaving.exit).toHaveBeenCalledWith(0);
  });
});
