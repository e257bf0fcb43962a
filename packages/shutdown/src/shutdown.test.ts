import { settle } from '@temper/testkit';
import { describe, expect, it, vi } from 'vitest';
import { never, setUp } from '../test/set-up.ts';

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
