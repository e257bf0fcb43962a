import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HealthCheck } from './check-options.ts';
import { healthFetch } from './http/fetch-handler.ts';
import { type HealthMonitor, healthMonitor } from './monitor.ts';
import type { CheckResult } from './outcome.ts';

const ESC = String.fromCharCode(0x1b);
/** What another program may put into a message: a secret, terminal escapes, bidi, lines, a megabyte. */
const HOSTILE = `connect ${ESC}[31mpostgres://shop:hunter2@db/\u202Etxt\r\nBearer abcdefghijkl ${'x'.repeat(1_000_000)}`;
const SECRETS = /hunter2|abcdefghijkl/;
/** Characters that a terminal or a browser acts on, also as JSON escapes them. */
const ACTIVE = /[[\p{Cc}\p{Cf}]--[\n]]|\\u[0-9a-f]{4}/v;

function expectSafe(text: string | undefined, longest: number): void {
  expect(text).toBeTypeOf('string');
  expect(text).not.toMatch(SECRETS);
  expect(text).not.toMatch(ACTIVE);
  expect(text?.length).toBeLessThanOrEqual(longest);
}

const monitorOf = (check: HealthCheck['check'], options = {}): HealthMonitor =>
  healthMonitor({ clock: new ManualClock(), checks: [{ name: 'db', check }], ...options });

const body = async (monitor: HealthMonitor, accept: string, path = '/readyz?verbose') => {
  const probes = healthFetch(monitor, { details: 'always' });
  const response = await probes(new Request(`http://svc${path}`, { headers: { accept } }));
  return (await response?.text()) ?? '';
};

const refusedAddresses = () =>
  new AggregateError([
    Object.assign(new Error('connect ECONNREFUSED ::1:5432'), { code: 'ECONNREFUSED' }),
    Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' }),
  ]);

/** Every way in which a check can hand over text. */
const SOURCES: readonly [string, HealthCheck['check']][] = [
  ['throws an error', () => Promise.reject(new Error(HOSTILE))],
  ['throws a string', () => Promise.reject(HOSTILE)],
  [
    'throws an error with a cause',
    () => Promise.reject(new Error('no', { cause: new Error(HOSTILE) })),
  ],
  ['throws an AggregateError', () => Promise.reject(new AggregateError([new Error(HOSTILE)]))],
  ['returns a message', () => ({ status: 'unhealthy', message: HOSTILE })],
  ['returns an invalid status', () => ({ status: HOSTILE }) as unknown as CheckResult],
  ['returns an invalid value', () => HOSTILE as never],
];

describe.each(SOURCES)('text of a check that %s', (_, check) => {
  it('is bounded and scrubbed in report, history, summary, stats and onStatusChange', async () => {
    const onStatusChange = vi.fn();
    const monitor = monitorOf(check, { onStatusChange });
    const report = await monitor.check();
    const summary = await monitor.getHealthSummary();
    for (const message of [
      report.checks[0]?.message,
      monitor.history('db')[0]?.message,
      summary.checks.db?.message,
      monitor.stats().checks[0]?.message,
      onStatusChange.mock.calls[0]?.[0].message,
    ]) {
      expectSafe(message, 512);
    }
  });

  it('is bounded and scrubbed in plain text and health+json', async () => {
    const monitor = monitorOf(check);
    const text = await body(monitor, '*/*');
    expect(text.split('\n')).toHaveLength(3);
    expectSafe(text, 700);
    expectSafe(
      JSON.parse(await body(monitor, 'application/json')).checks['db:status'][0].output,
      512,
    );
  });
});

describe('text in telemetry', () => {
  let telemetry: InMemoryTelemetry;
  beforeEach(() => {
    telemetry = new InMemoryTelemetry();
  });
  afterEach(() => telemetry.close());

  it.each(SOURCES)('of a check that %s is bounded and scrubbed', async (_, check) => {
    await monitorOf(check).check();
    const [span] = telemetry.spans;
    expectSafe(span?.status.message, 512);
    expectSafe(String(telemetry.logs[0]?.body), 512);
    for (const value of Object.values(span?.attributes ?? {})) expectSafe(String(value), 128);
  });

  it('links the log record of a failure to its span with spans: failures', async () => {
    await monitorOf(() => false).check();
    expect(telemetry.spans).toHaveLength(1);
    expect(telemetry.logs[0]?.spanContext?.spanId).toBe(telemetry.spans[0]?.spanContext().spanId);
  });

  it('exports a series at 0 for every status from the creation of a check, equal to stats()', async () => {
    const monitor = monitorOf(() => true, { name: 'zero' });
    const points = async () =>
      Object.fromEntries(
        (await telemetry.points('temper.health.checks', { 'temper.policy.name': 'zero' })).map(
          ({ attributes, value }) => [attributes['temper.health.status'], value],
        ),
      );
    expect(await points()).toEqual({ healthy: 0, degraded: 0, unhealthy: 0 });
    expect(monitor.stats().probes).toEqual({ db: await points() });
    await monitor.check();
    expect(await points()).toEqual({ healthy: 1, degraded: 0, unhealthy: 0 });
    expect(monitor.stats().probes).toEqual({ db: await points() });
  });
});

it('names the addresses that refused a connection', async () => {
  const report = await monitorOf(() => Promise.reject(refusedAddresses())).check();
  expect(report.checks[0]?.message).toBe(
    'connect ECONNREFUSED ::1:5432; connect ECONNREFUSED 127.0.0.1:5432',
  );
});

it('says which check timed out, and after how long', async () => {
  const clock = new ManualClock();
  const monitor = healthMonitor({
    name: 'svc',
    clock,
    checks: [{ name: 'db', timeoutMs: 2000, check: () => new Promise<never>(() => {}) }],
  });
  const report = await clock.runUntil(monitor.check());
  expect(report.checks[0]?.message).toBe("Check 'db' timed out after 2000 ms.");
});

it('bounds and scrubs the reason given to setReady', async () => {
  const monitor = monitorOf(() => true);
  monitor.setReady(false, HOSTILE);
  expectSafe((await monitor.readiness()).message, 512);
  expectSafe(await body(monitor, '*/*'), 700);
  expectSafe(JSON.parse(await body(monitor, 'application/json')).output, 512);
});

it('bounds and scrubs observed values', async () => {
  const observed = { name: HOSTILE, value: HOSTILE, unit: HOSTILE };
  const monitor = monitorOf(() => ({ status: 'degraded', observed }));
  const report = await monitor.check();
  expectSafe(report.checks[0]?.observed?.name, 64);
  expectSafe(String(report.checks[0]?.observed?.value), 512);
  expectSafe(report.checks[0]?.observed?.unit, 64);
  expectSafe(await body(monitor, 'application/json'), 1500);
});

describe('details in health+json', () => {
  const detailsOf = async (details: Record<string, unknown>) => {
    const text = await body(
      monitorOf(() => ({ details })),
      'application/json',
    );
    return { text, details: JSON.parse(text).checks['db:status'][0].details };
  };

  it('are bounded and scrubbed, names included', async () => {
    const { text } = await detailsOf({
      [HOSTILE]: HOSTILE,
      nested: [{ url: 'https://ops:hunter2@host/' }],
    });
    expectSafe(text, 1500);
  });

  it('are cut after 200 values', async () => {
    const many = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`k${at}`, at]));
    const { details } = await detailsOf(many);
    expect(Object.keys(details)).toHaveLength(201);
    expect(details['…']).toBe('[more values were left out]');
    const list = await detailsOf({ list: Array.from({ length: 5000 }, (_, at) => at) });
    expect(list.details.list).toHaveLength(200);
    expect(list.details.list.at(-1)).toBe('[more values were left out]');
  });

  it('are cut below a depth of 6, and where an object is repeated', async () => {
    let deep: object = { end: true };
    for (let level = 0; level < 1000; level++) deep = { deep };
    const { text } = await detailsOf({ deep });
    expect(text).toContain('[nested too deeply]');
    expect(text.length).toBeLessThan(500);
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    expect((await detailsOf(circular)).details).toEqual({ self: '[repeated]' });
  });

  it('keep dates, numbers, booleans, null and big integers', async () => {
    const at = new Date(0);
    expect((await detailsOf({ at, n: 1.5, yes: true, none: null, big: 12n })).details).toEqual({
      at: '1970-01-01T00:00:00.000Z',
      n: 1.5,
      yes: true,
      none: null,
      big: '12',
    });
  });
});

it('repeats at most ten unknown names of ?exclude=, scrubbed', async () => {
  const names = Array.from({ length: 50 }, (_, at) => `n${at}`);
  const query = [encodeURIComponent(`${ESC}[31m\u202Ehttps://a:hunter2@b/`), ...names].join(',');
  const text = await body(
    monitorOf(() => true),
    '*/*',
    `/readyz?verbose&exclude=${query}`,
  );
  expectSafe(text, 900);
  expect(text).toContain('"n8" and 41 more');
});
