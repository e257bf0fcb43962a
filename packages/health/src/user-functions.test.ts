import type { ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type DiagLogger, DiagLogLevel, diag } from '@opentelemetry/api';
import { ManualClock, settle } from '@temper/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HealthCheck } from './check-options.ts';
import {
  auditLogCheck,
  breakerCheck,
  httpCheck,
  limiterCheck,
  statsCheck,
} from './checks/index.ts';
import { healthFetch } from './http/fetch-handler.ts';
import { healthHandler } from './http/node-handler.ts';
import { healthMonitor } from './monitor.ts';

/** Everything a user's predicate can do instead of returning a boolean. */
const MISBEHAVIOURS: readonly [string, () => boolean][] = [
  [
    'throws',
    () => {
      throw new Error('broken');
    },
  ],
  ['rejects', (async () => Promise.reject(new Error('broken'))) as unknown as () => boolean],
  ['is a rejecting thenable', (() => rejectingThenable()) as unknown as () => boolean],
  ['resolves to true', (async () => true) as unknown as () => boolean],
];

function rejectingThenable(): object {
  // biome-ignore lint/suspicious/noThenProperty: the test needs a foreign thenable
  return { then: (_: unknown, reject: (error: Error) => void) => reject(new Error('broken')) };
}

const error = vi.fn();
const unhandled = vi.fn();
beforeEach(() => {
  const logger: DiagLogger = { error, warn() {}, info() {}, debug() {}, verbose() {} };
  diag.setLogger(logger, { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true });
  process.on('unhandledRejection', unhandled);
});
afterEach(async () => {
  await settle();
  expect(unhandled).not.toHaveBeenCalled();
  process.off('unhandledRejection', unhandled);
  diag.disable();
  error.mockReset();
});

const probe = async (check: HealthCheck) =>
  (await healthMonitor({ clock: new ManualClock(), checks: [check] }).check()).checks[0];

describe.each(MISBEHAVIOURS)('predicate whose result %s', (how, misbehave) => {
  it(`withholds details and logs the error if the result of details ${how}`, async () => {
    const check = { name: 'db', check: () => false };
    const probes = healthFetch(healthMonitor({ checks: [check] }), { details: misbehave });
    const response = await probes(new Request('http://svc/readyz?verbose'));
    expect(await response?.text()).toBe('unhealthy\n');
    await settle();
    expect(error).toHaveBeenCalled();
  });

  it(`fails the probe and logs the error if the result of httpCheck's accepts ${how}`, async () => {
    const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const report = await probe(
      httpCheck({ url: `http://127.0.0.1:${port}/ping`, accepts: misbehave }),
    );
    server.close();
    expect(report).toMatchObject({ status: 'unhealthy', errorType: '200' });
    expect(error).toHaveBeenCalled();
  });
});

describe.each(MISBEHAVIOURS.slice(0, 3))('callback that %s', (how, misbehave) => {
  it(`logs the error if onStatusChange ${how}`, async () => {
    const onStatusChange = misbehave as () => void;
    const checks = [{ name: 'db', check: () => false }];
    const monitor = healthMonitor({ clock: new ManualClock(), checks, onStatusChange });
    expect(await monitor.getOverallHealth()).toBe('unhealthy');
    await settle();
    expect(error.mock.calls.flat()).toContainEqual(new Error('broken'));
  });

  it(`logs the error and unregisters the check if dispose ${how}`, async () => {
    const monitor = healthMonitor();
    monitor.register({ name: 'db', check: () => true, dispose: misbehave as () => void });
    expect(monitor.unregister('db')).toBe(true);
    await settle();
    expect(error.mock.calls.flat()).toContainEqual(new Error('broken'));
  });

  it(`fails the probe if statsCheck's stats() or judge ${how}`, async () => {
    const stats = misbehave as unknown as () => object;
    expect(await probe(statsCheck({ of: { stats }, judge: () => true }))).toMatchObject({
      status: 'unhealthy',
      message: 'broken',
    });
    expect(await probe(statsCheck({ of: { stats: () => ({}) }, judge: misbehave }))).toMatchObject({
      status: 'unhealthy',
      message: 'broken',
    });
  });
});

it('passes the awaited snapshot of an asynchronous stats() to judge', async () => {
  const judge = vi.fn(() => true);
  await probe(statsCheck({ of: { stats: async () => ({ size: 3 }) }, judge }));
  expect(judge).toHaveBeenCalledExactlyOnceWith({ size: 3 }, undefined);
});

it.each<[string, (stats: () => object) => HealthCheck]>([
  ['breakerCheck', (stats) => breakerCheck({ name: 'db', state: 'closed', stats })],
  ['limiterCheck', (stats) => limiterCheck({ name: 'db', stats })],
  ['auditLogCheck', (stats) => auditLogCheck({ name: 'db', stats } as never)],
])('%s refuses a stats() that rejects', async (owner, make) => {
  const message = `${owner}: 'db' must return an object from stats().`;
  const rejecting = async () => Promise.reject(new Error('broken'));
  if (owner === 'breakerCheck') {
    // A breaker's stats are read at the probe only.
    expect(await probe(make(rejecting))).toMatchObject({ status: 'unhealthy', message });
  } else {
    expect(() => make(rejecting)).toThrow(message);
  }
});

describe('result of a check', () => {
  const throwing = (property: string) =>
    Object.defineProperty({}, property, {
      enumerable: true,
      get() {
        throw new Error('no such property');
      },
    });

  it.each(['status', 'message', 'observed', 'details'])(
    'fails the probe if the getter of %s throws',
    async (property) => {
      expect(await probe({ name: 'db', check: () => throwing(property) })).toMatchObject({
        status: 'unhealthy',
        message: 'no such property',
      });
    },
  );

  it.each([
    ['message', 42],
    ['message', null],
    ['observed', null],
    ['observed', { name: 'size' }],
    ['observed', { name: 1, value: 1 }],
    ['observed', { value: 1, unit: Symbol('ms') }],
    ['details', 'text'],
    ['details', null],
  ])('fails the probe if %s is %o', async (property, value) => {
    const report = await probe({ name: 'db', check: () => ({ [property]: value }) as never });
    expect(report).toMatchObject({ status: 'unhealthy', errorType: 'TypeError' });
    expect(report?.message).toContain(`check returned an invalid value of '${property}'`);
  });
});

it('calls check and dispose as methods of the check object', async () => {
  class Pool {
    readonly name = 'pool';
    #open = true;
    check(): boolean {
      return this.#open;
    }
    dispose(): void {
      this.#open = false;
    }
  }
  const pool = new Pool();
  const monitor = healthMonitor({ ttlMs: 0, checks: [pool] });
  expect(await monitor.getOverallHealth()).toBe('healthy');
  monitor[Symbol.dispose]();
  expect(await monitor.getOverallHealth()).toBe('unhealthy');
  expect(error).not.toHaveBeenCalled();
});

describe('healthHandler', () => {
  const request = { url: '/readyz', method: 'GET', headers: {} } as never;

  it('does not respond a second time if other code has responded during the probe', async () => {
    const writeHead = vi.fn();
    const response = { headersSent: true, writeHead, end: vi.fn() } as unknown as ServerResponse;
    healthHandler(healthMonitor())(request, response);
    await settle();
    expect(writeHead).not.toHaveBeenCalled();
    expect(response.end).not.toHaveBeenCalled();
  });

  it('logs the error of a response that throws', async () => {
    const writeHead = () => {
      throw new Error('headers sent');
    };
    healthHandler(healthMonitor())(request, { headersSent: false, writeHead } as never);
    await settle();
    expect(error.mock.calls.flat()).toContainEqual(new Error('headers sent'));
  });
});
