import { settle } from '@temper/testkit';
import { expectDiagnostics } from '@temper/testkit/repository/diagnostics';
import { describe, expect, it, vi } from 'vitest';
import { never, setUp } from '../test/virtual-shutdown.ts';

describe('beginning of the shutdown', () => {
  it('turns readiness off, then waits for delayMs, then runs the phases', async () => {
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
    const off = 'ready false: shutting down: a deployment';
    expect(events).toEqual([off, off, 'signal']);
    await clock.advance(2999);
    expect(events).toHaveLength(3);
    await clock.advance(1);
    await running;
    expect(events).toEqual([off, off, 'signal', 'intake']);
  });

  it('continues if setReady throws', async () => {
    expectDiagnostics(/readiness threw an error/);
    const readiness = {
      setReady: () => {
        throw new Error('no');
      },
    };
    const { shutdown } = setUp({ readiness });
    expect((await shutdown.shutdown()).outcome).toBe('completed');
  });

  it('aborts shutdown.signal with an error that names the reason', async () => {
    const { shutdown } = setUp();
    await shutdown.shutdown('a deployment');
    expect(shutdown.signal.reason).toMatchObject({
      code: 'SHUTTING_DOWN',
      message: "Shutdown 'shutdown' has begun: a deployment.",
      classification: { category: 'resource', transient: true },
    });
  });
});

describe('work in flight', () => {
  it('counts tracked promises and waits for them in the drain phase', async () => {
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

  it('completes although a tracked promise rejects', async () => {
    const { shutdown } = setUp();
    shutdown.track(Promise.reject(new Error('a job failed'))).catch(() => {});
    expect((await shutdown.shutdown()).outcome).toBe('completed');
  });

  it('waits for a tracked promise no longer than handlerTimeoutMs and reports it', async () => {
    const { clock, processExit, shutdown } = setUp({ handlerTimeoutMs: 700 });
    shutdown.track(never());
    const report = await clock.runUntil(shutdown.shutdown());
    expect(report).toMatchObject({
      outcome: 'timed_out',
      durationMs: 700,
      inFlight: 1,
      hung: ['drain/tracked work'],
    });
    expect(processExit.lines[0]).toContain('still in flight: 1');
  });
});

describe('end of the shutdown', () => {
  it('closes the audit log after the last phase and exports telemetry after that', async () => {
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

  it('reserves flushTimeoutMs for audit log and telemetry however long the handlers take', async () => {
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

  const hangs = { audit: { close: never }, telemetry: { shutdown: never } };
  it.each([
    // handlers, audit log, telemetry, duration
    ['end at once', undefined, hangs.telemetry, 1000],
    ['end at once', hangs.audit, undefined, 500],
    ['end at once', hangs.audit, hangs.telemetry, 1000],
    ['take 300 ms', undefined, hangs.telemetry, 1300],
    ['take 300 ms', hangs.audit, hangs.telemetry, 1300],
    ['hang', undefined, hangs.telemetry, 5000],
    ['hang', hangs.audit, undefined, 4500],
    ['hang', hangs.audit, hangs.telemetry, 5000],
  ])(
    'waits at most flushTimeoutMs after handlers that %s (audit log: %o, telemetry: %o)',
    async (what, auditLog, telemetry, durationMs) => {
      const { clock, shutdown } = setUp({
        timeoutMs: 5000,
        flushTimeoutMs: 1000,
        ...(auditLog === undefined ? {} : { auditLog }),
        ...(telemetry === undefined ? {} : { telemetry }),
      });
      shutdown.register(() =>
        what === 'hang' ? never() : clock.sleep(what === 'take 300 ms' ? 300 : 0),
      );
      const report = await clock.runUntil(shutdown.shutdown());
      expect(report).toMatchObject({ outcome: 'timed_out', durationMs });
    },
  );

  it('gives telemetry its half of flushTimeoutMs after a slow audit log and a late handler', async () => {
    const exported = vi.fn();
    const { clock, shutdown } = setUp({
      timeoutMs: 10_000,
      flushTimeoutMs: 1000,
      auditLog: {
        close: () => {
          shutdown.register(() => clock.sleep(3000));
          return never();
        },
      },
      telemetry: { shutdown: () => clock.sleep(400).then(exported) },
    });
    const report = await clock.runUntil(shutdown.shutdown());
    expect(exported).toHaveBeenCalledTimes(1);
    expect(report.durationMs).toBe(3400);
  });

  it('leaves no timer after the shutdown', async () => {
    const { clock, shutdown } = setUp({ delayMs: 10, auditLog: { close: () => {} } });
    shutdown.register(() => clock.sleep(5));
    await clock.runUntil(shutdown.shutdown());
    expect(clock.pending).toBe(0);
  });

  it('logs the report only if the shutdown did not complete and there is no onReport', async () => {
    expectDiagnostics(/onReport threw an error/);
    const well = setUp();
    await well.shutdown.shutdown();
    expect(well.processExit.lines).toEqual([]);
    const bad = setUp();
    bad.shutdown.register({ name: 'db', run: () => Promise.reject(new Error('gone')) });
    await bad.shutdown.shutdown();
    expect(bad.processExit.lines).toEqual([expect.stringContaining('failed  close/db: gone')]);
    const onReport = vi.fn(() => {
      throw new Error('listener');
    });
    const heard = setUp({ onReport });
    heard.shutdown.register(() => Promise.reject(new Error('gone')));
    const report = await heard.shutdown.shutdown();
    expect(heard.processExit.lines).toEqual([]);
    expect(onReport).toHaveBeenCalledWith(report);
  });
});

describe('gracefulShutdown', () => {
  it('runs once for any number of calls and returns the same promise', async () => {
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

  it('does not exit after a call of shutdown()', async () => {
    const { processExit, shutdown } = setUp();
    await shutdown.shutdown();
    await settle();
    expect(processExit.exits).toEqual([]);
    expect(processExit.exitCode).toBe(undefined);
  });

  it('reports its state, waiting and unsettled handlers in stats()', async () => {
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

  it('ends every wait and skips handlers that were not started on force()', async () => {
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

  it('ends the delay on force()', async () => {
    const { clock, shutdown } = setUp({ delayMs: 5000 });
    const running = shutdown.shutdown();
    await clock.advance(10);
    shutdown.force();
    expect((await running).durationMs).toBe(10);
  });

  it('runs the complete shutdown at the end of an `await using` scope', async () => {
    const run = vi.fn();
    {
      await using shutdown = setUp().shutdown;
      shutdown.register(run);
    }
    expect(run).toHaveBeenCalledTimes(1);
  });

  it('does not begin a shutdown at the end of a `using` scope', async () => {
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
