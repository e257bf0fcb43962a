// What the issues of other libraries teach about the end of a process. They are those of godaddy/terminus,
// gajus/lightship and mrbar42/node-graceful.
import { settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { never, setUp } from '../virtual-shutdown.ts';

const FIRST = 'SIGUSR2';
const OTHER = 'SIGWINCH';

describe('a shutdown', () => {
  it('terminus#55: is told to probes before anything else happens, and stays so', async () => {
    const order: string[] = [];
    const readiness = { setReady: (ready: boolean) => void order.push(`ready ${ready}`) };
    const { clock, shutdown } = setUp({ readiness });
    shutdown.register({
      name: 'close',
      run: () => order.push(`close while ready ${shutdown.ready}`),
    });
    await clock.runUntil(shutdown.shutdown());
    expect(order[0]).toBe('ready false');
    expect(order).toContain('close while ready false');
    expect(order).not.toContain('ready true');
  });

  it('terminus#42: is begun by whichever of several signals comes', async () => {
    for (const signal of [FIRST, OTHER] as const) {
      const { clock, shutdown, processExit } = setUp({ signals: [FIRST, OTHER] });
      process.emit(signal, signal);
      await clock.advance(30_000);
      expect(shutdown.state).toBe('stopped');
      expect(processExit.exits).toHaveLength(1);
      shutdown[Symbol.dispose]();
    }
  });

  it('terminus#47: runs each handler once, although several signals come', async () => {
    const { clock, shutdown } = setUp({ signals: [FIRST, OTHER] });
    let runs = 0;
    shutdown.register({
      name: 'slow',
      run: async () => {
        runs++;
        await clock.sleep(1_000);
      },
    });
    process.emit(FIRST, FIRST);
    void shutdown.shutdown();
    process.emit(OTHER, OTHER);
    await clock.advance(30_000);
    expect(runs).toBe(1);
  });

  it('terminus#67: leaves no listener behind when it is disposed of', () => {
    const counts = () => [FIRST, OTHER].map((signal) => process.listenerCount(signal));
    const before = counts();
    const { shutdown } = setUp({ signals: [FIRST, OTHER] });
    expect(counts()).toEqual(before.map((count) => count + 1));
    shutdown[Symbol.dispose]();
    expect(counts()).toEqual(before);
  });

  it('terminus#181: does not end the process when the option leaves that to others', async () => {
    const { clock, shutdown, processExit } = setUp({ signals: [FIRST], exit: false });
    process.emit(FIRST, FIRST);
    await clock.advance(60_000);
    expect(shutdown.state).toBe('stopped');
    expect(processExit.exits).toEqual([]);
  });

  it('terminus#3: ends the process with 0 when all went well, and with another code when a handler failed', async () => {
    for (const [run, ends] of [
      [() => undefined, (code: number) => code === 0],
      [
        () => {
          throw new Error('cannot close');
        },
        (code: number) => code !== 0,
      ],
    ] as const) {
      const { clock, shutdown, processExit } = setUp({ signals: [FIRST] });
      shutdown.register({ name: 'close', run });
      process.emit(FIRST, FIRST);
      await clock.advance(30_000);
      const code = processExit.exits[0] ?? processExit.exitCode;
      expect(code).toSatisfy(ends);
      shutdown[Symbol.dispose]();
    }
  });

  it('node-graceful#10: ends the process although something still runs', async () => {
    const { clock, shutdown, processExit } = setUp({ signals: [FIRST] });
    shutdown.register({ name: 'hangs', run: never });
    process.emit(FIRST, FIRST);
    await clock.advance(60_000);
    expect(processExit.exits).toHaveLength(1);
  });

  it('lightship#18: waits while any work that it tracks goes on, and no longer', async () => {
    const { clock, shutdown } = setUp();
    const work = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    for (const { promise } of work) void shutdown.track(promise);
    let ended = false;
    const report = shutdown.shutdown().finally(() => {
      ended = true;
    });
    await clock.advance(1_000);
    work[0]?.resolve();
    await settle();
    expect([ended, shutdown.inFlight()]).toEqual([false, 1]);
    work[1]?.resolve();
    await clock.runUntil(report);
    expect(shutdown.inFlight()).toBe(0);
  });
});
