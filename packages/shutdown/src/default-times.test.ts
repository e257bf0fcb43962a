import { createServer } from 'node:http';
import { ManualClock } from '@temper/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FakeProcess } from '../test/virtual-shutdown.ts';
import { fitTimes, type ShutdownTimes } from './default-times.ts';
import { resolveServerOptions } from './handler-options.ts';
import { resolveShutdownOptions, SHUTDOWN_DEFAULTS } from './options.ts';
import { nodeProcess } from './process-exit.ts';
import { gracefulShutdown, shutdownOf } from './shutdown.ts';

describe('default times', () => {
  it.each<[given: Partial<ShutdownTimes>, expected: Partial<ShutdownTimes>]>([
    [{}, { delayMs: 5000, timeoutMs: 25_000, flushTimeoutMs: 3000 }],
    [{ timeoutMs: 60_000 }, { delayMs: 5000, timeoutMs: 60_000, flushTimeoutMs: 3000 }],
    [{ timeoutMs: 16_000 }, { delayMs: 5000, timeoutMs: 16_000, flushTimeoutMs: 3000 }],
    [{ timeoutMs: 8000 }, { delayMs: 2500, timeoutMs: 8000, flushTimeoutMs: 1500 }],
    [{ timeoutMs: 500 }, { delayMs: 156.25, timeoutMs: 500, flushTimeoutMs: 93.75 }],
    [{ timeoutMs: 1 }, { delayMs: 0.3125, timeoutMs: 1, flushTimeoutMs: 0.1875 }],
    [{ delayMs: 0 }, { delayMs: 0, timeoutMs: 25_000, flushTimeoutMs: 3000 }],
    [{ delayMs: 20_000 }, { delayMs: 20_000, timeoutMs: 25_000, flushTimeoutMs: 3000 }],
    [{ delayMs: 30_000 }, { delayMs: 30_000, timeoutMs: 43_000, flushTimeoutMs: 3000 }],
    [{ flushTimeoutMs: 40_000 }, { delayMs: 5000, timeoutMs: 55_000, flushTimeoutMs: 40_000 }],
    [
      { delayMs: 0, timeoutMs: 500 },
      { delayMs: 0, timeoutMs: 500, flushTimeoutMs: 250 },
    ],
    [
      { flushTimeoutMs: 400, timeoutMs: 500 },
      { delayMs: 50, timeoutMs: 500, flushTimeoutMs: 400 },
    ],
  ])('for %o are %o', (given, expected) => {
    expect(fitTimes(given, SHUTDOWN_DEFAULTS)).toEqual(expected);
  });

  it('always leave time for the phases, whichever one or two of the times are given', () => {
    const ms = fc.double({ min: 1e-3, max: 1e9, noNaN: true });
    const given = fc.oneof(
      fc.record({ timeoutMs: ms }),
      fc.record({ delayMs: ms }),
      fc.record({ flushTimeoutMs: ms }),
      fc.record({ delayMs: ms, flushTimeoutMs: ms }),
      fc
        .tuple(ms, fc.double({ min: 0, max: 0.99, noNaN: true }), fc.boolean())
        .map(([timeoutMs, part, delay]) =>
          delay
            ? { timeoutMs, delayMs: timeoutMs * part }
            : { timeoutMs, flushTimeoutMs: timeoutMs * Math.max(0.001, part) },
        ),
    );
    fc.assert(
      fc.property(given, (options) => {
        const { delayMs, timeoutMs, flushTimeoutMs } = fitTimes(options, SHUTDOWN_DEFAULTS);
        expect(delayMs + flushTimeoutMs).toBeLessThan(timeoutMs);
        expect({ delayMs, timeoutMs, flushTimeoutMs }).toMatchObject(options);
        gracefulShutdown(options)[Symbol.dispose]();
      }),
    );
  });

  it('still refuses given times that do not fit each other', () => {
    for (const options of [
      { delayMs: 600, timeoutMs: 500 },
      { flushTimeoutMs: 500, timeoutMs: 500 },
      { delayMs: 300, flushTimeoutMs: 200, timeoutMs: 500 },
    ]) {
      expect(() => gracefulShutdown(options)).toThrow('timeoutMs must be greater than');
    }
  });

  it('complete a shutdown with timeoutMs: 500 alone', async () => {
    const clock = new ManualClock();
    using shutdown = shutdownOf({ timeoutMs: 500, clock }, new FakeProcess());
    shutdown.track(clock.sleep(400));
    const report = await clock.runUntil(shutdown.shutdown());
    expect(report).toMatchObject({ outcome: 'completed', durationMs: 400 });
  });
});

describe('default of idleGraceMs', () => {
  const resolve = (
    options: Parameters<typeof resolveShutdownOptions>[0],
    server: Parameters<typeof resolveServerOptions>[0] = {},
  ) => resolveServerOptions(server, resolveShutdownOptions(options, nodeProcess), 1).idleGraceMs;

  it.each([
    [{}, {}, 1000],
    [{ timeoutMs: 500 }, {}, 125],
    [{}, { timeoutMs: 300 }, 150],
    [{ handlerTimeoutMs: 400 }, {}, 200],
    [{ phases: ['intake', { name: 'drain', timeoutMs: 100 }] }, {}, 50],
    [{ timeoutMs: 500 }, { idleGraceMs: 2000 }, 2000],
  ])('with shutdown options %o and server options %o is %d', (options, server, expected) => {
    expect(resolve(options, server)).toBe(expected);
    gracefulShutdown(options).server(createServer(), server)[Symbol.dispose]();
  });
});
