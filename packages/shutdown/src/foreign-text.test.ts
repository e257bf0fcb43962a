import { ManualClock } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { never, setUp } from '../test/virtual-shutdown.ts';
import { enumerate } from './enumerate.ts';
import { exitWhenIdle } from './process-exit.ts';
import { describeReason, inspectError, type ShutdownReason } from './reason.ts';
import { formatReport } from './report.ts';

const ESC = String.fromCharCode(0x1b);
/** What another program may put into a message: a secret, terminal escapes, bidi, lines, a megabyte. */
const HOSTILE = `connect ${ESC}[31mpostgres://shop:hunter2@db/\u202Etxt\r\nBearer abcdefghijkl ${'x'.repeat(1_000_000)}`;
const SECRETS = /hunter2|abcdefghijkl/;
/** Characters that a terminal acts on. */
const ACTIVE = /[[\p{Cc}\p{Cf}]--[\n]]/v;

function expectSafe(text: unknown, longest: number): void {
  expect(text).toBeTypeOf('string');
  expect(text).not.toMatch(SECRETS);
  expect(text).not.toMatch(ACTIVE);
  expect((text as string).length).toBeLessThanOrEqual(longest);
}

/** Every way in which a handler can hand over text. */
const SOURCES: readonly [string, () => unknown][] = [
  ['an error', () => new Error(HOSTILE)],
  ['a string', () => HOSTILE],
  ['an error with a cause', () => new Error('no', { cause: new Error(HOSTILE) })],
  ['an AggregateError', () => new AggregateError([new Error(HOSTILE)])],
  ['an object with a message', () => ({ message: HOSTILE })],
];

describe.each(SOURCES)('text of a handler that rejects with %s', (_, make) => {
  let telemetry: InMemoryTelemetry;
  beforeEach(() => {
    telemetry = new InMemoryTelemetry();
  });
  afterEach(() => telemetry.close());

  it('is bounded and scrubbed on stderr, in spans and in the log record', async () => {
    const { shutdown, processExit } = setUp();
    const error = make();
    shutdown.register({ name: 'db', run: () => Promise.reject(error) });
    const report = await shutdown.shutdown();
    expect(report.handlers[0]?.error).toBe(error);
    const [text = ''] = processExit.lines;
    expect(text.split('\n')).toHaveLength(2);
    expectSafe(text, 700);
    for (const { status } of telemetry.spans) expectSafe(status.message ?? '', 512);
    expect(telemetry.logs[0]?.body).toBe(text);
  });
});

const reasons = (error: unknown): readonly ShutdownReason[] => [
  { kind: 'uncaughtException', error },
  { kind: 'unhandledRejection', error },
  { kind: 'call', message: HOSTILE },
];

it.each(reasons(new Error(HOSTILE)))('bounds and scrubs the reason $kind', (reason) => {
  expectSafe(describeReason(reason), 600);
  expect(describeReason(reason)).not.toContain('\n');
});

it('bounds and scrubs the message given to shutdown() in readiness, signal and report', async () => {
  const setReady = vi.fn();
  const { shutdown, processExit } = setUp({ readiness: { setReady } });
  shutdown.register({ name: 'db', run: () => Promise.reject(new Error('gone')) });
  const report = await shutdown.shutdown(HOSTILE);
  expectSafe(setReady.mock.calls[0]?.[1], 600);
  expectSafe(shutdown.signal.reason.message, 600);
  expectSafe(formatReport(report), 800);
  expectSafe(processExit.lines[0], 800);
  expect(report.reason).toEqual({ kind: 'call', message: HOSTILE });
});

it.each([42, null, {}, Symbol('s')])(
  'does not refuse a shutdown because of a message that is %o',
  async (message) => {
    const { shutdown } = setUp();
    const report = await shutdown.shutdown(message as never);
    expect(report.outcome).toBe('completed');
    expect(() => describeReason(report.reason)).not.toThrow();
  },
);

describe('inspectError', () => {
  it('keeps the lines of a stack, and bounds and scrubs each', () => {
    const error = Object.assign(new Error(HOSTILE, { cause: new Error(HOSTILE) }), {
      url: 'https://ops:hunter2@host/',
    });
    const text = inspectError(error);
    expect(text).toContain('\n    at ');
    expect(text.split('\n').length).toBeLessThanOrEqual(65);
    for (const line of text.split('\n')) expectSafe(line, 1024);
  });

  it('bounds the number of lines', () => {
    expect(inspectError(new Error('line\n'.repeat(100_000))).split('\n')).toHaveLength(65);
  });

  it('names the addresses of a refused connection', () => {
    const refused = (address: string) => new Error(`connect ECONNREFUSED ${address}`);
    const error = new AggregateError([refused('::1:5432'), refused('127.0.0.1:5432')]);
    expect(inspectError(error)).toContain('connect ECONNREFUSED 127.0.0.1:5432');
    expect(describeReason({ kind: 'uncaughtException', error })).toBe(
      'uncaught exception (connect ECONNREFUSED ::1:5432; connect ECONNREFUSED 127.0.0.1:5432)',
    );
  });
});

describe('long lists', () => {
  it('are cut at 50 handlers and at what fits on a line', async () => {
    const { shutdown, clock } = setUp({ timeoutMs: 4000 });
    for (let at = 0; at < 200; at++) {
      shutdown.register({ name: `handler ${at}`, phase: 'drain', timeoutMs: 10, run: never });
    }
    const text = formatReport(await clock.runUntil(shutdown.shutdown()));
    const lines = text.split('\n');
    expect(lines).toHaveLength(54);
    expect(lines[51]).toBe('  and 150 more handlers that did not complete');
    expect(lines[52]).toMatch(/^ {2}still running: drain\/handler 0, .* and \d+ more$/);
    for (const line of lines) expect(line.length).toBeLessThan(600);
  });

  it('say how many items are left out', () => {
    expect(enumerate([])).toBe('');
    expect(enumerate(['a', 'b'], '; ')).toBe('a; b');
    const items = Array.from({ length: 1000 }, () => 'x'.repeat(99));
    expect(enumerate(items)).toMatch(/^(x{99}, ){4}and 996 more$/);
    expectSafe(enumerate([HOSTILE]), 160);
  });

  it('of handles are bounded when the process does not end by itself', async () => {
    const clock = new ManualClock();
    const log = vi.fn();
    const handles = () => Array.from({ length: 10_000 }, (_, at) => `socket ${at} ${HOSTILE}`);
    const processExit = {
      exit: vi.fn(),
      setExitCode: vi.fn(),
      releaseChannel: vi.fn(),
      handles,
      log,
    };
    exitWhenIdle(processExit, clock, 0, 500);
    await clock.advance(500);
    expectSafe(log.mock.calls[0]?.[0], 700);
  });
});

it('counts handlers in stats() as telemetry exports them, from 0', async () => {
  const telemetry = new InMemoryTelemetry();
  const { shutdown } = setUp({ name: 'counted' });
  const exported = async () =>
    Object.fromEntries(
      (await telemetry.points('temper.shutdown.handlers', { 'temper.policy.name': 'counted' })).map(
        ({ attributes, value }) => [attributes['temper.outcome'], value],
      ),
    );
  const none = { completed: 0, failed: 0, timed_out: 0, skipped: 0 };
  expect(shutdown.stats().handlers).toEqual(none);
  expect(await exported()).toEqual(none);
  shutdown.register(() => {});
  shutdown.register(() => Promise.reject(new Error('no')));
  await shutdown.shutdown();
  expect(shutdown.stats().handlers).toEqual({ ...none, completed: 1, failed: 1 });
  expect(await exported()).toEqual(shutdown.stats().handlers);
  await telemetry.close();
});
