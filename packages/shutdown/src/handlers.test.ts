import { Call } from '@temper/core/policy';
import { describe, expect, it, vi } from 'vitest';
import { never, setUp } from '../test/virtual-shutdown.ts';

describe('handlers', () => {
  it('runs handlers last registered first', async () => {
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

  it('continues after a handler that throws or rejects and reports the error', async () => {
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

  it('accepts bound functions, methods and class instances as handlers, with any return value', async () => {
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

  it('aborts the signal of a handler at its time limit and continues with the others', async () => {
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
    // A policy that is given the signal must know that.
    expect(new Call(1, undefined, undefined, signal).endedBy).toBe('timeout');
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
      "Handler 'close/hangs' timed out after 300 ms.",
    );
  });

  it('removes a handler that settles after its time limit from the hung handlers', async () => {
    const { clock, shutdown } = setUp();
    shutdown.register({ name: 'second', timeoutMs: 200, run: () => clock.sleep(100) });
    shutdown.register({ name: 'slow', timeoutMs: 50, run: () => clock.sleep(80) });
    const report = await clock.runUntil(shutdown.shutdown());
    expect(report).toMatchObject({ outcome: 'timed_out', hung: [] });
  });

  it('limits all handlers together to timeoutMs minus flushTimeoutMs', async () => {
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

  it('does not run a handler whose registration was disposed', async () => {
    const { shutdown } = setUp();
    const run = vi.fn();
    {
      using _ = shutdown.register({ name: 'scoped', run });
      expect(shutdown.stats().waiting).toEqual(['close/scoped']);
    }
    await shutdown.shutdown();
    expect(run).not.toHaveBeenCalled();
  });

  it('runs handlers registered during the shutdown in their phase, or immediately if it is over', async () => {
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
  it('starts each phase after the previous one has ended', async () => {
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

  it('runs the handlers of a phase in the order of the phase', async () => {
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

  it('limits a phase to its own timeoutMs', async () => {
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
