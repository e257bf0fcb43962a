import { describe, expect, it } from 'vitest';
import { healthMonitor } from './monitor.ts';
import type { HealthMonitorOptions } from './options.ts';

const bad: readonly (readonly [object, string])[] = [
  [{ name: '' }, "healthMonitor: name must be a non-empty string, got ''."],
  [{ timeoutMs: 0 }, 'healthMonitor: timeoutMs must be a finite number > 0, got 0.'],
  [{ timeoutMs: Number.POSITIVE_INFINITY }, 'timeoutMs must be a finite number > 0, got Infinity'],
  [{ ttlMs: -1 }, 'healthMonitor: ttlMs must be a number >= 0, got -1.'],
  [{ refreshMs: 0 }, 'healthMonitor: refreshMs must be a number > 0, got 0.'],
  [{ refreshJitter: 1.1 }, 'healthMonitor: refreshJitter must be a number from 0 to 1, got 1.1.'],
  [
    { historySize: 1.5 },
    'healthMonitor: historySize must be an integer from 0 to 100000, got 1.5.',
  ],
  [{ uptimeWindowsMs: [10] }, 'uptimeWindowsMs must be a finite number >= 1000, got 10.'],
  [
    { uptimeWindowsMs: 60_000 },
    'uptimeWindowsMs must be an array of at most 8 numbers, got 60000.',
  ],
  [{ started: 'yes' }, "healthMonitor: started must be a boolean, got 'yes'."],
  [{ spans: 'some' }, "healthMonitor: spans must be one of 'all', 'failures', 'none', got 'some'."],
  [{ onStatusChange: 1 }, 'healthMonitor: onStatusChange must be a function, got 1.'],
  [{ clock: {} }, 'healthMonitor: clock.now must be a function, got undefined.'],
  [{ checks: {} }, 'healthMonitor: checks must be an array, got an object.'],
  [{ timeout: 1 }, "healthMonitor: unknown option 'timeout'; known are name, timeoutMs,"],
];

const badChecks: readonly (readonly [object, string])[] = [
  [{ check: () => true }, 'health check: name must be a non-empty string, got undefined.'],
  [{ name: 'db' }, "health check 'db': check must be a function, got undefined."],
  [{ timeoutMs: -5 }, "health check 'db': timeoutMs must be a finite number > 0, got -5."],
  [{ ttlMs: Number.NaN }, "health check 'db': ttlMs must be a number >= 0, got NaN."],
  [{ refreshMs: -1 }, "health check 'db': refreshMs must be a number > 0, got -1."],
  [{ groups: 'liveness' }, "health check 'db': groups must be an array of names, got 'liveness'."],
  [{ groups: [''] }, "health check 'db': groups must be an array of names"],
  [{ critical: 1 }, "health check 'db': critical must be a boolean, got 1."],
  [
    { failureStatus: 'healthy' },
    "failureStatus must be one of 'degraded', 'unhealthy', got 'healthy'.",
  ],
  [
    { flapping: { failures: 3, of: 2 } },
    'flapping.failures must be an integer from 1 to 2, got 3.',
  ],
  [{ flapping: { failures: 1, of: 0 } }, 'flapping.of must be an integer from 1 to 100, got 0.'],
  [{ dispose: true }, "health check 'db': dispose must be a function, got true."],
  [{ interval: 3 }, "health check: unknown option 'interval'; known are groups,"],
];

describe('option validation', () => {
  it.each(bad)(
    'rejects the options %o with a message that names option, range and value',
    (options, message) => {
      expect(() => healthMonitor(options as HealthMonitorOptions)).toThrow(message);
    },
  );

  it.each(badChecks)(
    'rejects the check %o with a message that names option, range and value',
    (options, message) => {
      const base = Object.hasOwn(options, 'name') || Object.hasOwn(options, 'check');
      const check = base ? options : { name: 'db', check: () => true, ...options };
      expect(() => healthMonitor({ checks: [check as never] })).toThrow(message);
    },
  );

  it('treats undefined options as omitted', () => {
    const none = {
      timeoutMs: undefined,
      onStatusChange: undefined,
    } as unknown as HealthMonitorOptions;
    expect(healthMonitor(none).name).toBe('health');
  });
});
