import { type DiagLogger, DiagLogLevel, diag } from '@opentelemetry/api';
import { ManualClock, settle } from '@temper/testkit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { setUp } from '../test/virtual-shutdown.ts';
import type { GracefulShutdownOptions } from './options.ts';
import { inspectError } from './reason.ts';
import { UpgradedSockets } from './server/upgrades.ts';

/** Everything a user's function can do instead of what it should. */
const MISBEHAVIOURS: readonly [string, () => never][] = [
  [
    'throws',
    () => {
      throw new Error('broken');
    },
  ],
  ['rejects', (async () => Promise.reject(new Error('broken'))) as unknown as () => never],
  ['returns a rejecting thenable', rejectingThenable as unknown as () => never],
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
afterEach(() => {
  expect(unhandled).not.toHaveBeenCalled();
  process.off('unhandledRejection', unhandled);
  diag.disable();
  error.mockReset();
});

describe.each(MISBEHAVIOURS)('user function that %s', (how, misbehave) => {
  it.each<[string, GracefulShutdownOptions]>([
    ['readiness.setReady', { readiness: { setReady: misbehave } }],
    ['onReport', { onReport: misbehave }],
    ['exitCode', { exitCode: misbehave }],
  ])(`completes the shutdown and logs the error if %s ${how}`, async (_, options) => {
    const { shutdown } = setUp(options);
    const report = await shutdown.shutdown();
    await settle();
    expect(report).toMatchObject({ outcome: 'completed', exitCode: 0 });
    expect(error.mock.calls.flat()).toContainEqual(new Error('broken'));
  });

  it.each<[string, GracefulShutdownOptions]>([
    ['auditLog.close', { auditLog: { close: misbehave } }],
    ['auditLog.flush', { auditLog: { flush: misbehave } }],
    ['telemetry.shutdown', { telemetry: { shutdown: misbehave } }],
    ['telemetry.forceFlush', { telemetry: { forceFlush: misbehave } }],
  ])(`reports a failed handler if %s ${how}`, async (_, options) => {
    const { shutdown } = setUp(options);
    const report = await shutdown.shutdown();
    await settle();
    expect(report).toMatchObject({ outcome: 'failed', exitCode: 1 });
    expect(report.handlers[0]?.error).toEqual(new Error('broken'));
  });
});

it.each([
  ['a promise', async () => 3],
  ['a string', () => '3'],
  ['nothing', () => undefined],
  ['a number above 255', () => 256],
])('uses the default exit code and logs the error if exitCode returns %s', async (_, exitCode) => {
  const { shutdown } = setUp({ exitCode: exitCode as unknown as () => number });
  expect((await shutdown.shutdown()).exitCode).toBe(0);
  expect(error.mock.calls.flat().map(String)).toContainEqual(
    expect.stringContaining('exitCode must return an integer from 0 to 255'),
  );
});

it.each([
  // biome-ignore lint/suspicious/noThenProperty: the test needs a foreign thenable
  ['throws', { then: MISBEHAVIOURS[0]?.[1] }],
  ['rejects', rejectingThenable()],
])('counts a tracked thenable that %s as settled', async (_, thenable) => {
  const { shutdown } = setUp();
  expect(shutdown.track(thenable as PromiseLike<never>)).toBe(thenable);
  expect(shutdown.inFlight()).toBe(1);
  await settle();
  expect(shutdown.inFlight()).toBe(0);
});

it('closes the other upgraded sockets if the client list of a WebSocket server throws', () => {
  const close = vi.fn();
  const broken = {
    get clients(): never {
      throw new Error('no list');
    },
  };
  const client = { close: vi.fn() };
  const sockets = new UpgradedSockets({
    owner: 'svc',
    clock: new ManualClock(),
    webSockets: [broken, { clients: [client] }],
    closeUpgraded: close,
    graceMs: 0,
    limitMs: 1000,
    isBusy: () => false,
  });
  const socket = { once: () => {} };
  sockets.opened(socket as never, {} as never);
  sockets.drain();
  sockets.drain();
  expect(error).toHaveBeenCalledTimes(1);
  expect(error.mock.calls.flat()).toContainEqual(new Error('no list'));
  expect(client.close).toHaveBeenCalledExactlyOnceWith(1001, 'going away');
  expect(close).toHaveBeenCalledTimes(1);
});

it('describes an uncaught error whose custom inspection throws by its message', () => {
  const hostile = Object.assign(new Error('original'), {
    [Symbol.for('nodejs.util.inspect.custom')]() {
      throw new Error('inspection failed');
    },
  });
  expect(inspectError(hostile)).toBe('original');
  expect(inspectError(new Error('plain'))).toContain('Error: plain\n    at ');
});
