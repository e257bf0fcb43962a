import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { ScriptedSink } from '../../test/scripted-sink.ts';
import type { AuditEventInput } from '../chain/event.ts';
import { generateSigningKey, type NoteSigner, noteSigner } from '../chain/signing-key.ts';
import { memorySink } from '../sinks/memory/memory-sink.ts';
import type { AuditSink } from '../sinks/sink.ts';
import { auditLog } from './durable-log.ts';
import type { AuditLogOptions } from './options.ts';

const event: AuditEventInput = { eventType: 'a', action: 'b', resource: 'c', status: 'success' };
const key = generateSigningKey('example.com/audit');
const never = (): Promise<never> => new Promise(() => undefined);

/** A promise as text, so that a test can see whether it is still pending. */
function state(promise: Promise<unknown>): { text: string } {
  const seen = { text: 'pending' };
  promise.then(
    () => {
      seen.text = 'resolved';
    },
    (error: Error) => {
      seen.text = error.message;
    },
  );
  return seen;
}

async function opened(options: AuditLogOptions) {
  const clock = new ManualClock();
  const log = auditLog({ clock, ...options });
  await log.append(event);
  return { clock, log };
}

describe('a signer that does not answer', () => {
  const hanging = (sign: NoteSigner['sign'] = never): NoteSigner => ({
    ...noteSigner(key.secretKey),
    sign,
  });

  it('rejects checkpoint() after signTimeoutMs, by default 10 s', async () => {
    const { clock, log } = await opened({
      sinks: [memorySink()],
      checkpoints: { signer: hanging() },
    });
    const signing = state(log.checkpoint());
    await clock.advance(9_999);
    expect(signing.text).toBe('pending');
    await clock.advance(1);
    expect(signing.text).toBe("Signer 'example.com/audit' timed out after 10000 ms.");
  });

  it('does not keep the log from closing its sinks', async () => {
    const sink = new ScriptedSink('a');
    const { clock, log } = await opened({
      sinks: [sink],
      checkpoints: { signer: hanging(), signTimeoutMs: 500 },
    });
    const closing = state(log.close());
    await clock.advance(499);
    expect([closing.text, sink.closed]).toEqual(['pending', false]);
    await clock.advance(1);
    expect(closing.text).toBe("Signer 'example.com/audit' timed out after 500 ms.");
    expect(sink.closed).toBe(true);
  });

  it('ignores what the signer does after its time, and signs the next checkpoint', async () => {
    const late = Promise.withResolvers<Uint8Array>();
    const working = noteSigner(key.secretKey);
    let calls = 0;
    const signer = hanging((data) => (++calls === 1 ? late.promise : working.sign(data)));
    const { clock, log } = await opened({
      sinks: [memorySink()],
      checkpoints: { signer, everyMs: 1_000, signTimeoutMs: 200 },
    });
    await clock.advance(1_200);
    expect([calls, log.stats().checkpointed]).toEqual([1, 0]);
    late.reject(new Error('too late'));
    await clock.advance(1_000);
    expect([calls, log.stats().checkpointed]).toEqual([2, 1]);
    await log.close();
    expect(clock.pending).toBe(0);
  });
});

describe('a sink that does not answer', () => {
  it('rejects close() after sinkTimeoutMs when closing hangs, and closes the other sinks', async () => {
    const first: AuditSink = Object.assign(new ScriptedSink('first'), { close: never });
    const second = new ScriptedSink('second');
    const { clock, log } = await opened({ sinks: [first, second], sinkTimeoutMs: 500 });
    const closing = state(log.close());
    await clock.advance(499);
    expect([closing.text, second.closed]).toEqual(['pending', true]);
    await clock.advance(1);
    expect(closing.text).toBe("Sink 'first' timed out after 500 ms.");
    expect(clock.pending).toBe(0);
  });

  it('closes the other sinks when closing one fails', async () => {
    const fails = (): Promise<never> => Promise.reject(new Error('no close'));
    const first: AuditSink = Object.assign(new ScriptedSink('first'), { close: fails });
    const held = Promise.withResolvers<void>();
    const second: AuditSink = Object.assign(new ScriptedSink('second'), {
      close: () => held.promise,
    });
    const { log } = await opened({ sinks: [first, second] });
    const closing = state(log.close());
    await settle();
    expect(closing.text).toBe('pending');
    held.resolve();
    await settle();
    expect(closing.text).toBe('no close');
  });

  it('closes a sink whose write hangs, though the rule does not need it', async () => {
    const durable = new ScriptedSink('durable');
    let closed = false;
    const display: AuditSink = {
      ...memorySink({ name: 'display' }),
      name: 'display',
      durable: false,
      open: async () => ({ head: { sequence: 0, hash: '0'.repeat(64), log: '' } }),
      write: never,
      close: async () => {
        closed = true;
      },
    };
    const { clock, log } = await opened({ sinks: [durable, display], sinkTimeoutMs: 500 });
    const closing = state(log.close());
    await settle();
    expect([closing.text, closed, durable.closed]).toEqual(['pending', false, true]);
    await clock.advance(500);
    expect([closing.text, closed]).toEqual(['resolved', true]);
  });

  it('does not hold back a checkpoint that it does not store', async () => {
    const sink: AuditSink = Object.assign(new ScriptedSink('a'), { saveCheckpoint: never });
    const { clock, log } = await opened({
      sinks: [sink],
      sinkTimeoutMs: 500,
      checkpoints: { signer: noteSigner(key.secretKey) },
    });
    const signing = state(log.checkpoint());
    await clock.advance(499);
    expect(signing.text).toBe('pending');
    await clock.advance(1);
    expect(signing.text).toBe('resolved');
    await log.close();
  });
});
