import { describe, expect, it } from 'vitest';
import { healthMonitor } from '../monitor.ts';
import {
  auditLogCheck,
  breakerCheck,
  diskSpaceCheck,
  dnsCheck,
  eventLoopDelayCheck,
  eventLoopUtilizationCheck,
  fileDescriptorsCheck,
  heapCheck,
  httpCheck,
  limiterCheck,
  memoryCheck,
  statsCheck,
  tcpCheck,
} from './index.ts';

const shape = { name: 'a', state: 'closed', stats: () => ({}) };

describe('built-in checks', () => {
  it.each([
    [
      () => eventLoopDelayCheck({ degradedMs: -1 }),
      'eventLoopDelayCheck: degradedMs must be a number >= 0, got -1.',
    ],
    [
      () => eventLoopDelayCheck({ degradedMs: 9, unhealthyMs: 8 }),
      'eventLoopDelayCheck: unhealthyMs must be a number >= 9, got 8.',
    ],
    [
      () => eventLoopDelayCheck({ percentile: 0 }),
      'percentile must be a number > 0 and <= 100, got 0.',
    ],
    [
      () => eventLoopDelayCheck({ resolutionMs: 0.5 }),
      'resolutionMs must be an integer from 1 to 1000, got 0.5.',
    ],
    [
      () => eventLoopUtilizationCheck({ degraded: Number.NaN }),
      'eventLoopUtilizationCheck: degraded must be a number >= 0, got NaN.',
    ],
    [() => heapCheck({ unhealthy: 0.1 }), 'heapCheck: unhealthy must be a number >= 0.8, got 0.1.'],
    [
      () => memoryCheck({ cgroup: { mount: '/' } as never }),
      "memoryCheck: cgroup: unknown option 'mount'",
    ],
    [
      () => fileDescriptorsCheck({ proc: { pid: 1 } as never }),
      "fileDescriptorsCheck: proc: unknown option 'pid'",
    ],
    [
      () => diskSpaceCheck({} as never),
      'diskSpaceCheck: path must be a non-empty string, got undefined.',
    ],
    [() => dnsCheck({ hostname: '' }), "dnsCheck: hostname must be a non-empty string, got ''."],
    [
      () => dnsCheck({ hostname: 'a', servers: [] }),
      'dnsCheck: servers must be a list of addresses, got an array of 0.',
    ],
    [
      () => tcpCheck({ port: 70_000 }),
      'tcpCheck: port must be an integer from 1 to 65535, got 70000.',
    ],
    [
      () => httpCheck({ url: 'ftp://a' }),
      "httpCheck: url must be an http or https URL, got 'ftp://a'.",
    ],
    [
      () => httpCheck({ url: 'http://a', method: 'POST' as never }),
      "httpCheck: method must be one of 'GET', 'HEAD', got 'POST'.",
    ],
    [
      () => breakerCheck({ name: 'a', stats: () => ({}) } as never),
      'breakerCheck: breaker.state must be a string, got undefined.',
    ],
    [
      () => breakerCheck(shape, { openStatus: 'healthy' as never }),
      'breakerCheck: openStatus must be one of',
    ],
    [
      () => limiterCheck({ name: 'a' } as never),
      'limiterCheck: limiter.stats must be a function, got undefined.',
    ],
    [
      () => auditLogCheck({ name: 'a' } as never),
      'auditLogCheck: log.stats must be a function, got undefined.',
    ],
    [
      () => statsCheck({ of: shape } as never),
      'statsCheck: judge must be a function, got undefined.',
    ],
    [
      () => heapCheck({ limit: 3 } as never),
      "heapCheck: unknown option 'limit'; known are name, timeoutMs,",
    ],
  ])('rejects invalid options: %s', (make, message) => {
    expect(make).toThrow(message);
  });

  it('accepts the common options in every built-in check', () => {
    const options = {
      name: 'mine',
      timeoutMs: 5,
      ttlMs: 6,
      refreshMs: 7,
      groups: ['nightly'],
      critical: false,
      failureStatus: 'degraded',
      flapping: { failures: 2, of: 3 },
    } as const;
    const checks = [
      eventLoopDelayCheck(options),
      eventLoopUtilizationCheck(options),
      heapCheck(options),
      memoryCheck(options),
      fileDescriptorsCheck(options),
      diskSpaceCheck({ path: '/', ...options }),
      dnsCheck({ hostname: 'a', ...options }),
      tcpCheck({ port: 1, ...options }),
      httpCheck({ url: 'http://a', ...options }),
      breakerCheck(shape, options),
      statsCheck({ of: shape, judge: () => true, ...options }),
    ];
    for (const check of checks) expect(check).toMatchObject(options);
  });

  it('gives every built-in check a different default name', () => {
    const checks = [
      eventLoopDelayCheck(),
      eventLoopUtilizationCheck(),
      heapCheck(),
      memoryCheck(),
      fileDescriptorsCheck(),
      diskSpaceCheck({ path: '/' }),
      dnsCheck({ hostname: 'a' }),
      tcpCheck({ port: 1 }),
      httpCheck({ url: 'http://a' }),
    ];
    using monitor = healthMonitor({ checks });
    expect(monitor.stats().unknown).toHaveLength(9);
  });

  it('rejects built-in checks of dependencies in the group liveness', () => {
    for (const check of [
      dnsCheck({ hostname: 'a' }),
      tcpCheck({ port: 1 }),
      httpCheck({ url: 'http://a' }),
      breakerCheck(shape),
    ]) {
      const checks = [{ ...check, groups: ['liveness'] }];
      expect(() => healthMonitor({ checks })).toThrow('does not repair it');
    }
  });
});
