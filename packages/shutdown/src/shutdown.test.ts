import { ManualClock, settle } from '@temper/testkit';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Leaving } from './leaving.ts';
import type { GracefulShutdownOptions } from './options.ts';
import { type GracefulShutdown, gracefulShutdown } from './shutdown.ts';

class FakeProcess implements Leaving {
  readonly exits: number[] = [];
  readonly lines: string[] = [];
  exitCode: number | undefined;
  exit = (code: number): void => void this.exits.push(code);
  setExitCode = (code: number): void => {
    this.exitCode = code;
  };
  handles = (): string[] => ['a handle'];
  log = (text: string): void => void this.lines.push(text);
}

const made: GracefulShutdown[] = [];
afterEach(() => {
  for (const shutdown of made.splice(0)) shutdown[Symbol.dispose]();
});

function setUp(options: GracefulShutdownOptions = {}) {
  const clock = new ManualClock();
  const leaving = new FakeProcess();
  const shutdown = gracefulShutdown({ delayMs: 0, clock, leaving, ...options });
  made.push(shutdown);
  return { clock, leaving, shutdown };
}

const never = () => new Promise<never>(() => {});

describe('handlers', () => {
  it('run last registered first', async () => {
    const { shutdown } = setUp();
    const ran: string[] = [];
    for (const name of ['close_registry_connections', 'flush_audit_logs', 'save_cache_state']) {
      shutdown.register({ name, run: () => void ran.push(name) });
    }
    const report = await shutdown.shutdown();
    expect(ran).toEqual(['save_cache_state', 'flush_audit_logs', 'close_registry_connections']);
    expect(report).toMatchObject({ outcome: 'completed', exitCode: 0 });
    expect(report.handlers.map(({ name }) => name)).toEqual(ran);
  });

  it('go on when one of them fails, at once or later, and the failures are kept', async () => {
    const { shutdown } = setUp();
    const last = vi.fn();
    shutdown.register(last);
    shutdown.register({
      name: 'throws',
      run: () => {
        throw new Error('at once');
      },
    });
    shutdown.register({ name: 'rejects', run: () => Promise.reject(new Error('later')) });
    const report = await shutdown.shutdown();
    expect(last).toHaveBeenCalledTimes(1);
    expect(report).toMatchObject({
      outcome: 'failed',
      exitCode: 1,
      handlers: [
        { name: 'rejects', outcome: 'failed', error: new Error('later') },
        { name: 'throws', outcome: 'failed', error: new Error('at once') },
        { outcome: 'completed' },
      ],
    });
  });

  it('may be any callable: bound, a method, a class instance, returning anything', async () => {
    const { shutdown } = setUp();
    class Pool {
      open = true;
      async end(): Promise<number> {
        this.open = false;
        return 42;
      }
    }
    const pool = new Pool();
    shutdown.register(pool.end.bind(pool));
    shutdown.register(function named() {
      return Symbol('anything');
    });
    shutdown.register(() => null);
    const { handlers } = await shutdown.shutdown();
    expect(pool.open).toBe(false);
    expect(handlers.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['handler 3', 'completed'],
      ['named', 'completed'],
      ['bound end', 'completed'],
    ]);
  });

  it('have a timeout each, are told by their signal, and do not hold the others', async () => {
    const { clock, shutdown } = setUp();
    let signal: AbortSignal | undefined;
    let left: number | undefined;
    shutdown.register({ name: 'after', run: () => 'fine' });
    shutdown.register({
      name: 'hangs',
      timeoutMs: 300,
      run: (context) => {
        signal = context.signal;
        left = context.timeLeftMs();
        return never();
      },
    });
    const running = shutdown.shutdown();
    await clock.advance(299);
    expect(signal?.aborted).toBe(false);
    await clock.advance(1);
    const report = await running;
    expect(left).toBe(300);
    expect(signal?.aborted).toBe(true);
    expect(report).toMatchObject({
      outcome: 'timed_out',
      exitCode: 124,
      durationMs: 300,
      hung: ['close/hangs'],
      handles: ['a handle'],
      handlers: [
        { name: 'hangs', outcome: 'timed_out', durationMs: 300 },
        { name: 'after', outcome: 'completed' },
      ],
    });
    expect((report.handlers[0]?.error as Error | undefined)?.message).toBe(
      "'close/hangs' gave up on the operation after 300 ms.",
    );
  });

  it('that settle after their time are no longer hung', async () => {
    const { clock, shutdown } = setUp();
    shutdown.register({ name: 'second', timeoutMs: 200, run: () => clock.sleep(100) });
    shutdown.register({ name: 'slow', timeoutMs: 50, run: () => clock.sleep(80) });
    const report = await clock.runUntil(shutdown.shutdown());
    expect(report).toMatchObject({ outcome: 'timed_out', hung: [] });
  });

  it('all together take no longer than the whole may, less what is kept for the flushes', async () => {
    const { clock, shutdown } = setUp({
      delayMs: 1000,
      timeoutMs: 10_000,
      flushTimeoutMs: 2000,
      handlerTimeoutMs: 4000,
    });
    for (const name of ['d', 'c', 'b', 'a']) shutdown.register({ name, run: never });
    const report = await clock.runUntil(shutdown.shutdown());
    expect(report.durationMs).toBe(8000);
    expect(
      report.handlers.map(({ name, outcome, durationMs }) => [name, outcome, durationMs]),
    ).toEqual([
      ['a', 'timed_out', 4000],
      ['b', 'timed_out', 3000],
      ['c', 'skipped', 0],
      ['d', 'skipped', 0],
    ]);
  });

  it('can be taken out again', async () => {
    const { shutdown } = setUp();
    const run = vi.fn();
    {
      using _ = shutdown.register({ name: 'scoped', run });
      expect(shutdown.stats().waiting).toEqual(['close/scoped']);
    }
    await shutdown.shutdown();
    expect(run).not.toHaveBeenCalled();
  });

  it('registered during the shutdown run too: in their phase, or at once when it is over', async () => {
    const { clock, shutdown } = setUp();
    const ran: string[] = [];
    shutdown.register({
      name: 'flush',
      phase: 'flush',
      run: async () => {
        ran.push('flush');
        shutdown.register({
          name: 'too late',
          phase: 'intake',
          run: () => void ran.push('too late'),
        });
        shutdown.register({ name: 'in time', phase: 'close', run: () => void ran.push('in time') });
        await clock.sleep(10);
        ran.push('flush ends');
      },
    });
    const report = await clock.runUntil(shutdown.shutdown());
    expect(ran).toEqual(['flush', 'too late', 'flush ends', 'in time']);
    expect(report.handlers).toHaveLength(3);
    const after = vi.fn();
    shutdown.register(after);
    expect(after).toHaveBeenCalledTimes(1);
  });
});

describe('phases', () => {
  it('come in order, each begun when the one before has ended', async () => {
    const { clock, shutdown } = setUp();
    const events: string[] = [];
    for (const phase of ['close', 'flush', 'drain', 'intake']) {
      shutdown.register({
        phase,
        name: phase,
        run: async () => {
          events.push(`${phase} begins`);
          await clock.sleep(100);
          events.push(`${phase} ends`);
        },
      });
    }
    await clock.runUntil(shutdown.shutdown());
    expect(events).toEqual(
      ['intake', 'drain', 'flush', 'close'].flatMap((phase) => [
        `${phase} begins`,
        `${phase} ends`,
      ]),
    );
  });

  it('run their handlers in the order they say', async () => {
    const { clock, shutdown } = setUp({
      phases: [{ name: 'intake', order: 'parallel' }, { name: 'drain', order: 'fifo' }, 'farewell'],
    });
    const begun: string[] = [];
    const add = (phase: string, name: string) =>
      shutdown.register({
        phase,
        name,
        run: () => {
          begun.push(`${name} at ${clock.monotonic() - 1000}`);
          return clock.sleep(10);
        },
      });
    for (const phase of ['intake', 'drain', 'farewell']) {
      add(phase, `${phase} 1`);
      add(phase, `${phase} 2`);
    }
    shutdown.register({
      name: 'where there is no close',
      run: () => void begun.push('last phase'),
    });
    await clock.runUntil(shutdown.shutdown());
    expect(begun).toEqual([
      'intake 1 at 0',
      'intake 2 at 0',
      'drain 1 at 10',
      'drain 2 at 20',
      'last phase',
      'farewell 2 at 30',
      'farewell 1 at 40',
    ]);
  });

  it('may have a longest time of their own', async () => {
    const { clock, shutdown } = setUp({
      phases: ['intake', { name: 'drain', timeoutMs: 500 }, 'close'],
    });
    shutdown.register({ phase: 'drain', name: 'not started', run: never });
    shutdown.register({ phase: 'drain', name: 'hangs', run: never });
    shutdown.register({ name: 'close', run: () => 'fine' });
    const report = await clock.runUntil(shutdown.shutdown());
    expect(
      report.handlers.map(({ name, outcome, durationMs }) => [name, outcome, durationMs]),
    ).toEqual([
      ['hangs', 'timed_out', 500],
      ['not started', 'skipped', 0],
      ['close', 'completed', 0],
    ]);
  });
});

describe('the beginning', () => {
  it('turns readiness off first, then waits for the balancers, then goes on', async () => {
    const events: string[] = [];
    const readiness = {
      setReady: (ready: boolean, reason?: string) => void events.push(`ready ${ready}: ${reason}`),
    };
    const { clock, shutdown } = setUp({ delayMs: 3000, readiness: [readiness, readiness] });
    shutdown.register({ phase: 'intake', run: () => void events.push('intake') });
    shutdown.signal.addEventListener('abort', () => events.push('signal'));
    expect(shutdown.ready).toBe(true);
    const running = shutdown.shutdown('a deployment');
    expect(shutdown.ready).toBe(false);
    const off = 'ready false: shutting down, because of a deployment';
    expect(events).toEqual([off, off, 'signal']);
    await clock.advance(2999);
    expect(events).toHaveLength(3);
    await clock.advance(1);
    await running;
    expect(events).toEqual([off, off, 'signal', 'intake']);
  });

  it('is not kept back by a readiness that throws', async () => {
    const readiness = {
      setReady: () => {
        throw new Error('no');
      },
    };
    const { shutdown } = setUp({ readiness });
    expect((await shutdown.shutdown()).outcome).toBe('completed');
  });

  it('aborts the signal with an error that says why', async () => {
    const { shutdown } = setUp();
    await shutdown.shutdown('a deployment');
    expect(shutdown.signal.reason).toMatchObject({
      code: 'SHUTTING_DOWN',
      message: "'shutdown' is shutting down, because of a deployment.",
      classification: { category: 'resource', transient: true },
    });
  });
});

describe('in flight', () => {
  it('counts tracked promises, and the drain waits for them', async () => {
    const { clock, shutdown } = setUp();
    const events: string[] = [];
    const work = clock.sleep(1000).then(() => void events.push('work done'));
    expect(shutdown.track(work)).toBe(work);
    shutdown.register(() => void events.push('closed'));
    expect(shutdown.inFlight()).toBe(1);
    await clock.runUntil(shutdown.shutdown());
    expect(events).toEqual(['work done', 'closed']);
    expect(shutdown.inFlight()).toBe(0);
  });

  it('that fails is not the shutdown that failed', async () => {
    const { shutdown } = setUp();
    shutdown.track(Promise.reject(new Error('a job failed'))).catch(() => {});
    expect((await shutdown.shutdown()).outcome).toBe('completed');
  });

  it('that does not end is waited for no longer than a handler, and told', async () => {
    const { clock, leaving, shutdown } = setUp({ handlerTimeoutMs: 700 });
    shutdown.track(never());
    const report = await clock.runUntil(shutdown.shutdown());
    expect(report).toMatchObject({
      outcome: 'timed_out',
      durationMs: 700,
      inFlight: 1,
      hung: ['drain/tracked work'],
    });
    expect(leaving.lines[0]).toContain('still in flight: 1');
  });
});

describe('the end', () => {
  it('closes the audit log when all phases are over, and flushes telemetry after it', async () => {
    const events: string[] = [];
    const { clock, shutdown } = setUp({
      auditLog: { close: () => clock.sleep(20).then(() => void events.push('audit log')) },
      telemetry: [
        {
          shutdown: async () => void events.push('sdk'),
          forceFlush: async () => void events.push('?'),
        },
        { forceFlush: async () => void events.push('provider') },
      ],
    });
    shutdown.register(() => clock.sleep(10).then(() => void events.push('close')));
    const report = await clock.runUntil(shutdown.shutdown());
    expect(events).toEqual(['close', 'audit log', 'sdk', 'provider']);
    expect(report.handlers.map(({ phase, name }) => `${phase}/${name}`)).toEqual([
      'close/handler 1',
      'audit/audit log',
      'telemetry/telemetry',
      'telemetry/telemetry 2',
    ]);
  });

  it('keeps time for both, whatever the handlers took', async () => {
    const flushed = vi.fn();
    const { clock, shutdown } = setUp({
      timeoutMs: 5000,
      flushTimeoutMs: 1000,
      auditLog: { flush: never },
      telemetry: { shutdown: async () => flushed() },
    });
    shutdown.register(never);
    const report = await clock.runUntil(shutdown.shutdown());
    expect(flushed).toHaveBeenCalledTimes(1);
    expect(report.durationMs).toBe(4500);
    expect(report.hung).toEqual(['close/never', 'audit/audit log']);
  });

  it('does not wait for a telemetry that hangs beyond the whole', async () => {
    const { clock, shutdown } = setUp({
      timeoutMs: 5000,
      flushTimeoutMs: 1000,
      telemetry: { shutdown: never },
    });
    const report = await clock.runUntil(shutdown.shutdown());
    expect(report).toMatchObject({ outcome: 'timed_out', durationMs: 5000 });
  });

  it('leaves no timer behind', async () => {
    const { clock, shutdown } = setUp({ delayMs: 10, auditLog: { close: () => {} } });
    shutdown.register(() => clock.sleep(5));
    await clock.runUntil(shutdown.shutdown());
    expect(clock.pending).toBe(0);
  });

  it('says nothing when all went well, and everything when not, unless the user listens', async () => {
    const well = setUp();
    await well.shutdown.shutdown();
    expect(well.leaving.lines).toEqual([]);
    const bad = setUp();
    bad.shutdown.register({ name: 'db', run: () => Promise.reject(new Error('gone')) });
    await bad.shutdown.shutdown();
    expect(bad.leaving.lines).toEqual([expect.stringContaining('failed  close/db: gone')]);
    const onReport = vi.fn(() => {
      throw new Error('listener');
    });
    const heard = setUp({ onReport });
    heard.shutdown.register(() => Promise.reject(new Error('gone')));
    const report = await heard.shutdown.shutdown();
    expect(heard.leaving.lines).toEqual([]);
    expect(onReport).toHaveBeenCalledWith(report);
  });
});

describe('a shutdown', () => {
  it('happens once, however often it is asked for, by whomever', async () => {
    const run = vi.fn();
    let inner: Promise<unknown> | undefined;
    const { shutdown } = setUp({
      readiness: {
        setReady: () => {
          inner = shutdown.shutdown();
        },
      },
    });
    shutdown.register(run);
    const [a, b] = [shutdown.shutdown(), shutdown.shutdown()];
    expect(a).toBe(b);
    expect(inner).toBe(a);
    expect(await shutdown.shutdown()).toBe(await a);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('that is called for ends no process', async () => {
    const { leaving, shutdown } = setUp();
    await shutdown.shutdown();
    await settle();
    expect(leaving.exits).toEqual([]);
    expect(leaving.exitCode).toBe(undefined);
  });

  it('tells where it stands', async () => {
    const { clock, shutdown } = setUp({ delayMs: 100 });
    shutdown.register({ name: 'db', run: () => clock.sleep(50) });
    expect(shutdown.stats()).toMatchObject({
      state: 'running',
      waiting: ['close/db'],
      inFlight: 0,
    });
    const running = shutdown.shutdown();
    await clock.advance(120);
    expect(shutdown.stats()).toMatchObject({
      state: 'stopping',
      waiting: [],
      unsettled: ['close/db'],
      report: undefined,
    });
    await clock.advance(30);
    expect(shutdown.stats()).toMatchObject({ state: 'stopped', report: await running });
  });

  it('can be forced: every wait ends, what was not begun is skipped', async () => {
    const { clock, shutdown } = setUp({ telemetry: { shutdown: async () => {} } });
    shutdown.register({ name: 'not begun', run: () => 1 });
    shutdown.register({ name: 'hangs', run: never });
    const running = shutdown.shutdown();
    await clock.advance(100);
    shutdown.force();
    const report = await running;
    expect(report).toMatchObject({ outcome: 'forced', exitCode: 1, durationMs: 100 });
    expect(report.handlers.map(({ name, outcome }) => [name, outcome])).toEqual([
      ['hangs', 'timed_out'],
      ['not begun', 'skipped'],
      ['telemetry', 'skipped'],
    ]);
    expect(report.handlers[0]?.error).toMatchObject({ code: 'SHUTDOWN_FORCED' });
  });

  it('that is forced in its delay ends it', async () => {
    const { clock, shutdown } = setUp({ delayMs: 5000 });
    const running = shutdown.shutdown();
    await clock.advance(10);
    shutdown.force();
    expect((await running).durationMs).toBe(10);
  });

  it('is what `await using` ends a scope with', async () => {
    const run = vi.fn();
    {
      await using shutdown = setUp().shutdown;
      shutdown.register(run);
    }
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('is not what `using` ends a scope with', async () => {
    const run = vi.fn();
    {
      using shutdown = setUp().shutdown;
      shutdown.register(run);
      shutdown.listen(['SIGUSR2']);
      expect(process.listenerCount('SIGUSR2')).toBe(1);
    }
    expect(process.listenerCount('SIGUSR2')).toBe(0);
    expect(run).not.toHaveBeenCalled();
  });
});
