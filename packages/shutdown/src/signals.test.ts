import { ManualClock, settle } from '@temper/testkit';
import { expectDiagnostics } from '@temper/testkit/repository/diagnostics';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { GracefulShutdownOptions } from './options.ts';
import type { ProcessExit } from './process-exit.ts';
import { type GracefulShutdown, gracefulShutdown, shutdownOf } from './shutdown.ts';

// The tests emit these on the real `process`. No other code listens to them.
const FIRST = 'SIGUSR2';
const OTHER = 'SIGWINCH';

const made: GracefulShutdown[] = [];
afterEach(() => {
  for (const shutdown of made.splice(0)) shutdown[Symbol.dispose]();
  expect(process.listenerCount(FIRST)).toBe(0);
});

function setUp(options: GracefulShutdownOptions = {}) {
  const clock = new ManualClock();
  const processExit = {
    exit: vi.fn(),
    setExitCode: vi.fn(),
    releaseChannel: vi.fn(),
    handles: () => ['a leaked timer'],
    log: vi.fn(),
  } satisfies ProcessExit;
  const shutdown = shutdownOf(
    { signals: [FIRST, OTHER], delayMs: 0, clock, ...options },
    processExit,
  );
  made.push(shutdown);
  return { clock, processExit, shutdown };
}

const never = () => new Promise<never>(() => {});

describe('signal listeners', () => {
  const EVENTS = ['SIGTERM', 'SIGINT', 'message', 'uncaughtException', 'unhandledRejection'];
  const listeners = () => EVENTS.filter((event) => process.listenerCount(event) > before(event));
  const present = new Map(EVENTS.map((event) => [event, process.listenerCount(event)]));
  const before = (event: string): number => present.get(event) ?? 0;

  it('adds process listeners only when listen() is called, unless an option asks for them', () => {
    const shutdown = gracefulShutdown();
    made.push(shutdown);
    expect(listeners()).toEqual([]);
    const listening = shutdown.listen();
    expect(listeners()).toEqual(['SIGTERM', 'SIGINT']);
    const again = shutdown.listen();
    listening[Symbol.dispose]();
    expect(listeners()).toEqual(['SIGTERM', 'SIGINT']);
    again[Symbol.dispose]();
    expect(listeners()).toEqual([]);
  });

  it.each<[GracefulShutdownOptions, string]>([
    [{ messages: ['shutdown'] }, 'message'],
    [{ uncaughtExceptions: true }, 'uncaughtException'],
    [{ unhandledRejections: true }, 'unhandledRejection'],
  ])('adds the listener that %o asks for, without signals', (options, event) => {
    const shutdown = gracefulShutdown(options);
    expect(listeners()).toEqual([event]);
    shutdown.listen()[Symbol.dispose]();
    expect(listeners()).toEqual([event]);
    shutdown[Symbol.dispose]();
    expect(listeners()).toEqual([]);
  });

  it('begins the shutdown with a message of the parent process, without signals', async () => {
    const { shutdown, processExit } = setUp({ signals: [], messages: ['shutdown'] });
    process.emit('message', 'something else', undefined);
    process.emit('message', { type: 'shutdown' }, undefined);
    expect(shutdown.state).toBe('running');
    process.emit('message', 'shutdown', undefined);
    expect(shutdown.state).toBe('stopping');
    await settle();
    expect(shutdown.stats().report?.reason).toEqual({ kind: 'message', message: 'shutdown' });
    expect(processExit.setExitCode).toHaveBeenCalledWith(0);
  });
});

describe('several registrations of listeners', () => {
  const count = (signal: NodeJS.Signals) => process.listenerCount(signal);

  it.each([
    ['first', 0],
    ['second', 1],
  ])('keep those of the others when the %s is disposed', (_which, index) => {
    const { shutdown } = setUp({ signals: [] });
    const registrations = [shutdown.listen([FIRST]), shutdown.listen([FIRST, OTHER])];
    expect([count(FIRST), count(OTHER)]).toEqual([1, 1]);
    registrations[index]?.[Symbol.dispose]();
    registrations[index]?.[Symbol.dispose]();
    expect([count(FIRST), count(OTHER)]).toEqual([1, index === 0 ? 1 : 0]);
    registrations[1 - index]?.[Symbol.dispose]();
    expect([count(FIRST), count(OTHER)]).toEqual([0, 0]);
  });

  it('keep the listeners of the option signals until the shutdown is disposed', () => {
    const { shutdown } = setUp({ uncaughtExceptions: true });
    const errors = process.listenerCount('uncaughtException');
    shutdown.listen([FIRST])[Symbol.dispose]();
    expect([count(FIRST), count(OTHER)]).toEqual([1, 1]);
    expect(process.listenerCount('uncaughtException')).toBe(errors);
    const late = shutdown.listen([FIRST]);
    shutdown[Symbol.dispose]();
    expect([count(FIRST), count(OTHER)]).toEqual([0, 0]);
    expect(process.listenerCount('uncaughtException')).toBe(errors - 1);
    // A registration of the past removes nothing that was added since.
    shutdown.listen([FIRST]);
    late[Symbol.dispose]();
    expect(count(FIRST)).toBe(1);
  });
});

describe('after a shutdown with exit: false', () => {
  const count = () => process.listenerCount(FIRST);

  it('leaves signals to Node once forceAfterMs has passed since the first', async () => {
    const { clock, processExit } = setUp({ exit: false });
    process.emit(FIRST, FIRST);
    await clock.advance(199);
    expect(count()).toBe(1);
    expect(clock.pendingRefed).toBe(0);
    await clock.advance(1);
    expect(count()).toBe(0);
    expect(processExit.releaseChannel).not.toHaveBeenCalled();
  });

  it('leaves signals and errors to Node at once if it began with a call or took longer', async () => {
    const errors = process.listenerCount('uncaughtException');
    const called = setUp({ exit: false, uncaughtExceptions: true });
    await called.shutdown.shutdown();
    expect(count()).toBe(0);
    expect(process.listenerCount('uncaughtException')).toBe(errors);
    const slow = setUp({ exit: false });
    slow.shutdown.register(() => slow.clock.sleep(300));
    process.emit(FIRST, FIRST);
    await slow.clock.advance(300);
    await settle();
    expect(slow.shutdown.state).toBe('stopped');
    expect(count()).toBe(0);
  });

  it('keeps the listeners with exit: true, so that a later signal ends the process', async () => {
    const { processExit, shutdown } = setUp();
    await shutdown.shutdown();
    process.emit(FIRST, FIRST);
    await settle();
    expect(processExit.setExitCode).toHaveBeenCalledWith(0);
    expect(processExit.releaseChannel).toHaveBeenCalledTimes(1);
  });
});

describe('first signal', () => {
  it('begins the shutdown on a signal, sets the exit code and lets the process end by itself', async () => {
    const { clock, processExit, shutdown } = setUp();
    process.emit(FIRST, FIRST);
    expect(shutdown.ready).toBe(false);
    await settle();
    expect(shutdown.stats().report).toMatchObject({
      reason: { kind: 'signal', signal: FIRST },
      outcome: 'completed',
    });
    expect(processExit.setExitCode).toHaveBeenCalledWith(0);
    expect(processExit.exit).not.toHaveBeenCalled();
    expect(clock.pending).toBe(1);
    expect(clock.pendingRefed).toBe(0);
  });

  it('exits after lingerMs and logs what keeps the event loop alive', async () => {
    const { clock, processExit } = setUp({ lingerMs: 500 });
    process.emit(FIRST, FIRST);
    await clock.advance(500);
    expect(processExit.log).toHaveBeenCalledWith(
      'Shutdown finished, but 500 ms later the event loop is still kept alive by: a leaked timer. Exiting with code 0.',
    );
    expect(processExit.exit).toHaveBeenCalledWith(0);
  });

  it('neither exits nor sets the exit code with exit: false', async () => {
    const { clock, processExit } = setUp({ exit: false });
    process.emit(FIRST, FIRST);
    await clock.advance(10_000);
    expect(processExit.setExitCode).not.toHaveBeenCalled();
    expect(processExit.exit).not.toHaveBeenCalled();
  });

  it('joins a shutdown() in progress on a signal and then ends the process', async () => {
    const { clock, processExit, shutdown } = setUp();
    shutdown.register(() => clock.sleep(300));
    const called = shutdown.shutdown();
    await clock.advance(100);
    process.emit(FIRST, FIRST);
    await clock.advance(200);
    await called;
    await settle();
    expect(processExit.exit).not.toHaveBeenCalled();
    expect(processExit.setExitCode).toHaveBeenCalledWith(0);
  });

  it("uses the exit code of the user's exitCode only if it is valid", async () => {
    expectDiagnostics(/exitCode threw an error/);
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
      const { processExit, shutdown } = setUp({ exitCode });
      process.emit(FIRST, FIRST);
      await settle();
      expect(processExit.setExitCode).toHaveBeenCalledWith(code);
      shutdown[Symbol.dispose]();
    }
  });
});

describe('second signal', () => {
  it.each([FIRST, OTHER] as const)(
    'forces the shutdown on a second signal %s and logs the handlers still running',
    async (second) => {
      const { clock, processExit, shutdown } = setUp();
      shutdown.register({ name: 'db', run: never });
      process.emit(FIRST, FIRST);
      await clock.advance(200);
      process.emit(second, second);
      expect(processExit.exit).toHaveBeenCalledWith(second === 'SIGUSR2' ? 140 : 156);
      expect(processExit.log).toHaveBeenCalledWith(
        `Shutdown 'shutdown' is forced by a second signal, ${second}; still running: close/db.`,
      );
    },
  );

  it('treats a second signal within forceAfterMs as the first one', async () => {
    const { clock, processExit, shutdown } = setUp();
    shutdown.register({ name: 'db', run: never });
    process.emit(FIRST, FIRST);
    process.emit(FIRST, FIRST);
    await clock.advance(199);
    process.emit(OTHER, OTHER);
    expect(processExit.exit).not.toHaveBeenCalled();
  });

  it('forces the shutdown on a second signal without exiting with exit: false', async () => {
    const { clock, processExit, shutdown } = setUp({ exit: false });
    shutdown.register({ name: 'db', run: never });
    process.emit(FIRST, FIRST);
    await clock.advance(1000);
    process.emit(FIRST, FIRST);
    await settle();
    expect(processExit.exit).not.toHaveBeenCalled();
    expect(shutdown.stats().report).toMatchObject({ outcome: 'forced', exitCode: 140 });
  });

  it('exits with the code of the report on a signal after the shutdown', async () => {
    const { clock, processExit } = setUp();
    process.emit(FIRST, FIRST);
    await clock.advance(300);
    process.emit(FIRST, FIRST);
    expect(processExit.exit).toHaveBeenCalledWith(0);
  });
});
