import { createServer } from 'node:http';
import { describe, expect, it } from 'vitest';
import { type GracefulShutdownOptions, SHUTDOWN_DEFAULTS } from './options.ts';
import { gracefulShutdown } from './shutdown.ts';

describe('option validation', () => {
  it.each([
    [
      { name: '' },
      "gracefulShutdown: name must be a non-empty string of at most 128 characters without control characters, got ''.",
    ],
    [{ signals: 'SIGTERM' }, "gracefulShutdown: signals must be an array, got 'SIGTERM'."],
    [{ delayMs: -1 }, 'gracefulShutdown: delayMs must be a finite number >= 0, got -1.'],
    [{ timeoutMs: 0 }, 'gracefulShutdown: timeoutMs must be a finite number > 0, got 0.'],
    [
      { delayMs: 5000, flushTimeoutMs: 3000, timeoutMs: 8000 },
      'gracefulShutdown: timeoutMs must be greater than delayMs + flushTimeoutMs (8000), got 8000.',
    ],
    [{ handlerTimeoutMs: 0 }, 'gracefulShutdown: handlerTimeoutMs must be a number > 0, got 0.'],
    [{ flushTimeoutMs: Number.NaN }, 'flushTimeoutMs must be a finite number > 0, got NaN.'],
    [{ flushTimeoutMs: 0 }, 'flushTimeoutMs must be a finite number > 0, got 0.'],
    [{ forceAfterMs: -1 }, 'gracefulShutdown: forceAfterMs must be a number >= 0, got -1.'],
    [
      { lingerMs: Number.POSITIVE_INFINITY },
      'lingerMs must be a finite number >= 0, got Infinity.',
    ],
    [{ exit: 1 }, 'gracefulShutdown: exit must be a boolean, got 1.'],
    [{ uncaughtExceptions: 'yes' }, "uncaughtExceptions must be a boolean, got 'yes'."],
    [{ onReport: {} }, 'gracefulShutdown: onReport must be a function, got an object.'],
    [{ phases: 'close' }, "gracefulShutdown: phases must be an array, got 'close'."],
    [{ phases: ['drain', 'intake'] }, "include 'intake' before 'drain', got 'drain', 'intake'."],
    [{ phases: ['intake', 'drain', 'drain'] }, 'phases must have unique names'],
    [
      { phases: ['intake', { name: 'drain', order: 'random' }] },
      "phases.drain.order must be one of 'lifo', 'fifo', 'parallel', got 'random'.",
    ],
    [
      { phases: ['intake', { name: 'drain', timeoutMs: 0 }] },
      'phases.drain.timeoutMs must be a number > 0, got 0.',
    ],
    [{ readiness: {} }, 'gracefulShutdown: readiness must have setReady().'],
    [{ auditLog: [{}] }, 'gracefulShutdown: auditLog must have close() or flush().'],
    [{ telemetry: 1 }, 'gracefulShutdown: telemetry must be an object, got 1.'],
    [{ clock: {} }, 'gracefulShutdown: clock.now must be a function, got undefined.'],
    [{ delay: 1 }, "gracefulShutdown: unknown option 'delay'; known are name, signals,"],
  ])(
    'rejects the options %o with a message that names option, range and value',
    (options, message) => {
      expect(() => gracefulShutdown(options as unknown as GracefulShutdownOptions)).toThrow(
        message,
      );
    },
  );

  const run = (): void => {};
  it.each([
    [{}, 'shutdown handler: run must be a function, got undefined.'],
    [{ run, phase: 'end' }, "phase must be one of 'intake', 'drain', 'flush', 'close', got 'end'."],
    [
      { name: 'db', run, timeoutMs: 0 },
      "shutdown handler 'db': timeoutMs must be a number > 0, got 0.",
    ],
    [
      { name: '', run },
      "shutdown handler: name must be a non-empty string of at most 128 characters without control characters, got ''.",
    ],
    [{ run, order: 1 }, "shutdown handler: unknown option 'order'"],
  ])(
    'rejects the handler %o with a message that names option, range and value',
    (handler, message) => {
      expect(() => gracefulShutdown().register(handler as never)).toThrow(message);
    },
  );

  it.each([
    [{ idleGraceMs: -1 }, 'shutdown.server: idleGraceMs must be a finite number >= 0, got -1.'],
    [{ timeoutMs: 0 }, 'shutdown.server: timeoutMs must be a number > 0, got 0.'],
    [{ webSockets: {} }, 'shutdown.server: webSockets.clients must be an object, got undefined.'],
    [{ closeUpgraded: 1 }, 'shutdown.server: closeUpgraded must be a function, got 1.'],
    [{ grace: 1 }, "shutdown.server: unknown option 'grace'"],
  ])(
    'rejects the server options %o with a message that names option, range and value',
    (options, message) => {
      expect(() => gracefulShutdown().server(createServer(), options as never)).toThrow(message);
    },
  );

  it('rejects a server that is not one of node:http, node:https or node:http2', () => {
    expect(() => gracefulShutdown().server({} as never)).toThrow(
      'shutdown.server: server must be a server of node:http, node:https or node:http2, got an object.',
    );
  });

  it('rejects a tracked value that is not a promise', () => {
    expect(() => gracefulShutdown().track('work' as never)).toThrow(
      "track: promise must be a promise, got 'work'.",
    );
  });

  it('rejects tracked objects that are not promises', () => {
    for (const value of [null, undefined, {}, () => {}]) {
      expect(() => gracefulShutdown().track(value as never)).toThrow(TypeError);
    }
  });

  it('rejects signals that cannot arrive, before it adds a listener', () => {
    const before = process.listenerCount('SIGTERM');
    const shutdown = gracefulShutdown();
    for (const signals of [
      ['SIGTERM', 'SIGTRM'],
      ['SIGTERM', 'SIGKILL'],
      ['SIGTERM', null],
      'SIGTERM',
      null,
    ]) {
      expect(() => shutdown.listen(signals as never)).toThrow('shutdown.listen: signals must be');
      expect(() => gracefulShutdown({ signals } as never)).toThrow(
        'gracefulShutdown: signals must be',
      );
    }
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });

  it('rejects null in place of every option', () => {
    const names = [
      ...Object.keys(SHUTDOWN_DEFAULTS),
      ...['readiness', 'auditLog', 'telemetry', 'exitCode', 'onReport', 'clock'],
    ];
    for (const name of names) {
      expect(() => gracefulShutdown({ [name]: null })).toThrow(TypeError);
      expect(() => gracefulShutdown({ [name]: null })).toThrow(`gracefulShutdown: ${name}`);
    }
    const shutdown = gracefulShutdown();
    for (const name of ['name', 'run', 'phase', 'timeoutMs']) {
      expect(() => shutdown.register({ run, [name]: null } as never)).toThrow(TypeError);
    }
    for (const name of ['name', 'timeoutMs', 'idleGraceMs', 'webSockets', 'closeUpgraded']) {
      const options = { [name]: null };
      expect(() => shutdown.server(createServer(), options)).toThrow(TypeError);
    }
    for (const call of [
      () => gracefulShutdown(null as never),
      () => shutdown.register(null as never),
      () => shutdown.server(createServer(), null as never),
      () => gracefulShutdown({ phases: ['intake', null] as never }),
    ]) {
      expect(call).toThrow('options must be an object, got null.');
    }
  });

  it('accepts a function with a long name as a handler, and a handler that is an instance', () => {
    const shutdown = gracefulShutdown();
    const long = { [`x${'y'.repeat(500)}`]: () => {} };
    for (const handler of Object.values(long)) shutdown.register(handler);
    class Pool {
      readonly name = 'pool';
      run(): void {}
    }
    shutdown.register(new Pool());
    const [first, second] = shutdown.stats().waiting;
    expect(first).toHaveLength('close/'.length + 128);
    expect(second).toBe('close/pool');
  });
});
