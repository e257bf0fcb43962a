import { type DiagLogger, DiagLogLevel, diag } from '@opentelemetry/api';
import { ManualClock, settle } from '@temper/testkit/clock';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ScriptedSink } from '../test/scripted-sink.ts';
import { type AuditedOptions, audited } from './audited.ts';
import type { AuditEvent, AuditEventInput } from './chain/event.ts';
import { generateSigningKey, type NoteSigner, noteSigner } from './chain/signing-key.ts';
import { auditLog } from './log/durable-log.ts';
import { verifyLog } from './read/verify.ts';
import { memorySink } from './sinks/memory/memory-sink.ts';

const event: AuditEventInput = { eventType: 'a', action: 'b', resource: 'c', status: 'success' };
const key = generateSigningKey('example.com/audit');

const reject = (): never => Promise.reject(new Error('callback failed')) as never;
/** What a function of the user can do wrong. */
const MISBEHAVIOURS: readonly (readonly [string, () => never])[] = [
  [
    'throws',
    () => {
      throw new Error('callback failed');
    },
  ],
  ['rejects', reject],
  ['rejects later', () => Promise.resolve().then(reject) as never],
  [
    'is a thenable that rejects',
    // biome-ignore lint/suspicious/noThenProperty: a promise of another make
    () => ({ then: (_: unknown, fail: (error: Error) => void) => fail(new Error('no')) }) as never,
  ],
  [
    'has a getter for then that throws',
    () =>
      ({
        // biome-ignore lint/suspicious/noThenProperty: a hostile value
        get then(): never {
          throw new Error('callback failed');
        },
      }) as never,
  ],
];

const error = vi.fn();
const unhandled = vi.fn();
beforeEach(() => {
  const logger: DiagLogger = { error, warn() {}, info() {}, debug() {}, verbose() {} };
  diag.setLogger(logger, { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true });
  process.on('unhandledRejection', unhandled);
});
afterEach(async () => {
  await settle();
  await settle();
  expect(unhandled).not.toHaveBeenCalled();
  process.off('unhandledRejection', unhandled);
  diag.disable();
  error.mockReset();
});

const logged = (): string => error.mock.calls.map(([message]) => String(message)).join('\n');

describe.each(MISBEHAVIOURS)('a function of the user whose result %s', (_, misbehave) => {
  it.each(['resource', 'actor', 'details', 'shouldHandle'] as const)(
    'changes no result and no other field of the event as audited %s',
    async (option) => {
      const sink = new ScriptedSink('a');
      const options: AuditedOptions = { action: 'fetch', resource: 'stdlib', [option]: misbehave };
      const policy = audited(auditLog({ sinks: [sink] }), options);
      expect(await policy.execute(() => 42)).toBe(42);
      const [stored] = sink.lines.map((line) => JSON.parse(line) as AuditEvent);
      expect(stored).toMatchObject({
        action: 'fetch',
        resource: option === 'resource' ? 'unknown' : 'stdlib',
        status: 'success',
        details: {},
      });
      expect(stored).not.toHaveProperty('actor');
      await settle();
      expect(logged()).toContain(`fetch: ${option} threw an error`);
    },
  );

  it('does not prevent a checkpoint as publish', async () => {
    const log = auditLog({
      sinks: [memorySink()],
      checkpoints: { signer: noteSigner(key.secretKey), publish: misbehave },
    });
    await log.append(event);
    expect((await log.checkpoint()).body.size).toBe(1);
    await log.close();
    await settle();
    expect(logged()).toContain('audit: checkpoints.publish threw an error');
  });

  it('does not end a verification as onProgress', async () => {
    const log = auditLog({ sinks: [memorySink()] });
    await log.append(event);
    expect(await log.verify({ onProgress: misbehave })).toMatchObject({
      problem: undefined,
      events: 1,
    });
    await settle();
    expect(logged()).toContain('verify: onProgress threw an error');
  });

  it('rejects checkpoint() and does not affect the log as sign', async () => {
    const clock = new ManualClock();
    const signer: NoteSigner = { ...noteSigner(key.secretKey), sign: misbehave };
    const sink = memorySink();
    const log = auditLog({ clock, sinks: [sink], checkpoints: { signer, everyEvents: 1 } });
    await log.append(event);
    await settle();
    expect(logged()).toContain('audit: checkpoints threw an error');
    const signing = log.checkpoint().catch(() => 'rejected');
    await settle();
    await clock.advance(10_000); // a promise that never settles is given up
    expect(await signing).toBe('rejected');
    const closing = log.close().catch(() => 'rejected');
    await settle();
    await clock.advance(10_000);
    expect(await closing).toBe('rejected');
    expect(await verifyLog(sink.source)).toMatchObject({ problem: undefined, events: 1 });
  });
});

describe('audited', () => {
  it('calls its hooks once per event with the outcome, and shouldHandle with the call', async () => {
    const seen: unknown[] = [];
    const policy = audited(auditLog({ sinks: [memorySink()] }), {
      action: 'fetch',
      resource: 'stdlib',
      details: (call) => {
        seen.push(call);
        return undefined;
      },
      shouldHandle: (outcome, call) => {
        seen.push([outcome, call.operation]);
        return false;
      },
    });
    await policy.execute(() => 1, { operation: 'get' });
    expect(seen).toEqual([[{ ok: true, value: 1 }, 'get'], { args: [], value: 1 }]);
    expect(error).not.toHaveBeenCalled();
  });
});
