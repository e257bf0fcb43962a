import { describe, expect, it } from 'vitest';
import * as builtIns from './checks/index.ts';
import { healthFetch } from './http/fetch-handler.ts';
import { healthHandler } from './http/node-handler.ts';
import { healthMonitor } from './monitor.ts';
import type { HealthMonitorOptions } from './options.ts';
import { processMetrics } from './process-metrics.ts';

const bad: readonly (readonly [object, string])[] = [
  [
    { name: '' },
    "healthMonitor: name must be a non-empty string of at most 128 characters without control characters, got ''.",
  ],
  [{ timeoutMs: 0 }, 'healthMonitor: timeoutMs must be a finite number > 0, got 0.'],
  [{ timeoutMs: Number.POSITIVE_INFINITY }, 'timeoutMs must be a finite number > 0, got Infinity'],
  [{ ttlMs: -1 }, 'healthMonitor: ttlMs must be a number >= 0, got -1.'],
  [{ refreshMs: 0 }, 'healthMonitor: refreshMs must be a number > 0, got 0.'],
  [{ budgetMs: -1 }, 'healthMonitor: budgetMs must be a number >= 0, got -1.'],
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
  [
    { check: () => true },
    'health check: name must be a non-empty string of at most 128 characters without control characters, got undefined.',
  ],
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
  [{ interval: 3 }, "health check: unknown option 'interval'; known are name, check,"],
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

const monitor = () =>
  healthMonitor({
    name: 'svc',
    checks: [{ name: 'db', groups: ['readiness', 'nightly'], check: () => true }],
  });

describe('arguments of the methods', () => {
  it.each([
    [
      { group: 'typo' },
      RangeError,
      "has no check in the group 'typo'. Groups: liveness, readiness, startup, nightly.",
    ],
    [{ group: 1 }, TypeError, 'group must be a string, got 1.'],
    [{ group: null }, TypeError, 'group must be a string, got null.'],
    [
      { groups: ['nightly'] },
      TypeError,
      "unknown option 'groups'; known are group, exclude, fresh, budgetMs.",
    ],
    [{ exclude: 'db' }, TypeError, "exclude must be an array of names, got 'db'."],
    [{ exclude: [1] }, TypeError, 'exclude must be an array of names'],
    [{ fresh: 'yes' }, TypeError, "fresh must be a boolean, got 'yes'."],
    [null, TypeError, 'options must be an object, got null.'],
    ['readiness', TypeError, "options must be an object, got 'readiness'."],
  ])('refuses check(%j)', async (options, type, message) => {
    const refused = monitor().check(options as never);
    await expect(refused).rejects.toThrow(type);
    await expect(refused).rejects.toThrow(`Health monitor 'svc'`);
    await expect(refused).rejects.toThrow(message);
  });

  it.each(['liveness', 'readiness', 'startup'] as const)(
    'refuses options of %s() that would be ignored',
    async (probe) => {
      for (const options of [null, 1, { group: 'nightly' }, { exclude: null }, { fresh: 0 }]) {
        await expect(monitor()[probe](options as never)).rejects.toThrow(TypeError);
      }
      const stopped = monitor();
      stopped.setReady(false);
      await expect(stopped[probe]({ fresh: 0 } as never)).rejects.toThrow(TypeError);
    },
  );

  it('runs a group of its own and the built-in ones without a check', async () => {
    expect((await monitor().check({ group: 'nightly' })).checks).toHaveLength(1);
    expect((await monitor().check({ group: 'startup' })).checks).toHaveLength(0);
  });

  it('refuses names, limits and flags of the wrong type', () => {
    const it = monitor();
    const wrong: readonly (() => unknown)[] = [
      () => it.history(null as never),
      () => it.history('db', null as never),
      () => it.uptime(1 as never),
      () => it.unregister(undefined as never),
      () => it.setReady('no' as never),
      () => it.setReady(false, null as never),
      () => it.register(null as never),
      () => healthMonitor(null as never),
      () => processMetrics(null as never),
      () => processMetrics({ cgroup: { root: 1 } } as never),
    ];
    for (const call of wrong) expect(call).toThrow(TypeError);
  });

  it.each([healthHandler, healthFetch])(
    'refuses what is no monitor or no option: $name',
    (create) => {
      for (const no of [null, {}, 1]) {
        expect(() => create(no as never)).toThrow(/: monitor(\.liveness)? must be/);
      }
      for (const options of [
        null,
        { details: null },
        { paths: null },
        { paths: { liveness: null } },
      ]) {
        expect(() => create(monitor(), options as never)).toThrow(TypeError);
      }
      expect(() => create(monitor(), { paths: { liveness: undefined } } as never)).not.toThrow();
    },
  );
});

describe('null in place of an option', () => {
  const stats = () => ({ limit: 1, inFlight: 0, refused: 0, degraded: 0, dropped: 0, pending: 0 });
  const watched = { name: 'a', state: 'closed', stats };
  const required: Readonly<Record<string, readonly unknown[]>> = {
    breakerCheck: [watched],
    limiterCheck: [watched],
    auditLogCheck: [watched],
  };
  const given: Readonly<Record<string, object>> = {
    diskSpaceCheck: { path: '/' },
    dnsCheck: { hostname: 'a' },
    httpCheck: { url: 'http://a' },
    tcpCheck: { port: 1 },
    statsCheck: { of: watched, judge: () => true },
  };
  const OWN: Readonly<Record<string, readonly string[]>> = {
    auditLogCheck: ['maxPending'],
    breakerCheck: ['openStatus'],
    diskSpaceCheck: ['path', 'degraded', 'unhealthy'],
    dnsCheck: ['hostname', 'servers'],
    eventLoopDelayCheck: ['degradedMs', 'unhealthyMs', 'percentile', 'resolutionMs'],
    eventLoopUtilizationCheck: ['degraded', 'unhealthy'],
    fileDescriptorsCheck: ['degraded', 'unhealthy', 'proc'],
    heapCheck: ['degraded', 'unhealthy'],
    httpCheck: ['url', 'method', 'headers', 'accepts'],
    limiterCheck: ['degraded', 'unhealthy'],
    memoryCheck: ['degraded', 'unhealthy', 'cgroup'],
    statsCheck: ['of', 'judge'],
    tcpCheck: ['host', 'port'],
  };
  const COMMON = ['name', 'timeoutMs', 'ttlMs', 'refreshMs', 'groups', 'critical', 'failureStatus'];

  it.each(Object.entries(builtIns))(
    'is refused by %s, as is null for all options',
    (name, make) => {
      const create = (options: unknown) =>
        (make as (...args: unknown[]) => unknown)(...(required[name] ?? []), options);
      expect(() => create({ ...given[name] })).not.toThrow();
      expect(() => create(null)).toThrow(`${name}: options must be an object, got null.`);
      for (const option of [...COMMON, 'flapping', ...(OWN[name] ?? [])]) {
        expect(() => create({ ...given[name], [option]: null })).toThrow(TypeError);
        expect(() => create({ ...given[name], [option]: null })).toThrow(`${name}: ${option}`);
      }
    },
  );

  it('is refused by a check and by a monitor', () => {
    for (const option of [
      'timeoutMs',
      'ttlMs',
      'groups',
      'critical',
      'flapping',
      'dependency',
      'dispose',
      'componentType',
    ]) {
      const check = { name: 'db', check: () => true, [option]: null };
      expect(() => monitor().register(check as never)).toThrow(`health check 'db': ${option}`);
    }
    for (const option of [
      'name',
      'checks',
      'ttlMs',
      'spans',
      'clock',
      'random',
      'onStatusChange',
      'uptimeWindowsMs',
    ]) {
      expect(() => healthMonitor({ [option]: null })).toThrow(`healthMonitor: ${option}`);
    }
  });
});
