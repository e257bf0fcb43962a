import { ManualClock, settle } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { ScriptedSink } from '../../test/scripted-sink.ts';
import { openCheckpoint, parseCheckpoint } from '../chain/checkpoint.ts';
import type { AuditEventInput } from '../chain/event.ts';
import {
  generateSigningKey,
  type NoteSigner,
  noteSigner,
  noteVerifier,
} from '../chain/signing-key.ts';
import { verifyLog } from '../read/verify.ts';
import { memorySink } from '../sinks/memory/memory-sink.ts';
import type { AuditLog } from './audit-log.ts';
import { auditLog } from './durable-log.ts';
import type { CheckpointOptions } from './options.ts';

const key = generateSigningKey('example.com/audit');
const event: AuditEventInput = { eventType: 'a', action: 'b', resource: 'c', status: 'success' };

function bench(options: Partial<CheckpointOptions> = {}) {
  const clock = new ManualClock();
  const sink = memorySink();
  const published: number[] = [];
  const log = auditLog({
    clock,
    sinks: [sink],
    checkpoints: {
      signer: noteSigner(key.secretKey),
      publish: (_, { size }) => published.push(size),
      ...options,
    },
  });
  return { clock, sink, log, published };
}

async function append(log: AuditLog, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await log.append(event);
  await settle();
  await settle();
}

describe('checkpoints', () => {
  it('signs a checkpoint after everyEvents durable events', async () => {
    const { log, published, sink } = bench({ everyEvents: 10, everyMs: Number.POSITIVE_INFINITY });
    await append(log, 9);
    expect(published).toEqual([]);
    await append(log, 1);
    expect(published).toEqual([10]);
    await append(log, 15);
    expect(published).toEqual([10, 20]);
    expect(log.stats().checkpointed).toBe(20);
    const report = await verifyLog(sink.source, { keys: [key.verifierKey] });
    expect(report.checkpoints).toEqual({ checked: 2, trusted: 2, covered: 20, tooOld: 0 });
  });

  it('signs a checkpoint when the oldest uncovered event is everyMs old', async () => {
    const { log, published, clock } = bench({ everyMs: 1_000 });
    await append(log, 1);
    await clock.advance(600);
    await append(log, 1);
    expect(published).toEqual([]);
    await clock.advance(400);
    await settle();
    expect(published).toEqual([2]);
    await clock.advance(100_000);
    expect(published).toEqual([2]);
    expect(clock.pending).toBe(0); // an idle log has no timer
    await append(log, 1);
    expect(clock.pendingRefed).toBe(0); // and no timer keeps the process
    await clock.advance(1_000);
    await settle();
    expect(published).toEqual([2, 3]);
  });

  it('signs a checkpoint on close and on demand', async () => {
    const { log, published } = bench();
    await append(log, 2);
    const { note, body } = await log.checkpoint();
    expect(openCheckpoint(note, [noteVerifier(key.verifierKey)])).toEqual(body);
    expect(body).toMatchObject({ origin: 'example.com/audit', size: 2 });
    expect((await log.checkpoint()).note).toBe(note);
    await append(log, 1);
    await log.close();
    expect(published).toEqual([2, 3]);
  });

  it('signs on close what an earlier attempt failed to sign', async () => {
    const working = noteSigner(key.secretKey);
    let fails = true;
    const signer: NoteSigner = {
      ...working,
      sign: (data) => (fails ? Promise.reject(new Error('no key')) : working.sign(data)),
    };
    const { log, published } = bench({ signer, everyEvents: 2 });
    await append(log, 2);
    expect(published).toEqual([]);
    fails = false;
    await log.close();
    expect(published).toEqual([2]);
  });

  it('signs a checkpoint of an empty log', async () => {
    const { log } = bench();
    expect(parseCheckpoint((await log.checkpoint()).note).size).toBe(0);
  });

  it('continues from the last checkpoint of an earlier run', async () => {
    const sink = new ScriptedSink('a');
    const first = auditLog({ sinks: [sink] });
    await append(first, 7);
    const roots: string[] = [];
    for (let run = 0; run < 3; run++) {
      const log = auditLog({ sinks: [sink], checkpoints: { signer: noteSigner(key.secretKey) } });
      await append(log, 5);
      roots.push((await log.checkpoint()).body.root.toString('hex'));
      await log.close();
    }
    const whole = auditLog({ sinks: [sink], checkpoints: { signer: noteSigner(key.secretKey) } });
    expect((await whole.checkpoint()).body.root.toString('hex')).toBe(roots[2]);
  });

  it('ignores a stored frontier that its own key did not sign', async () => {
    const forged = generateSigningKey('example.com/audit');
    const sink = memorySink();
    const stranger = auditLog({
      sinks: [sink],
      checkpoints: { signer: noteSigner(forged.secretKey) },
    });
    await append(stranger, 3);
    const { note } = await stranger.checkpoint();
    const frontier = ['ab'.repeat(32), 'cd'.repeat(32)];
    await sink.saveCheckpoint?.({ note, size: 3, frontier });
    const ours = auditLog({ sinks: [sink], checkpoints: { signer: noteSigner(key.secretKey) } });
    const { body } = await ours.checkpoint();
    expect(body.root).toEqual(parseCheckpoint(note).root); // computed anew from the events
  });

  it('signs with several keys and a custom origin', async () => {
    const second = generateSigningKey('witness.example');
    const { log } = bench({
      signer: [noteSigner(key.secretKey), noteSigner(second.secretKey)],
      origin: 'other.example/log',
    });
    await append(log, 1);
    const { note, body } = await log.checkpoint();
    expect(body.origin).toBe('other.example/log');
    for (const { verifierKey } of [key, second]) {
      expect(openCheckpoint(note, [noteVerifier(verifierKey)]).size).toBe(1);
    }
  });

  it('keeps logging when signing or publishing fails and signs later', async () => {
    const real = noteSigner(key.secretKey);
    let down = true;
    const { log, published, sink } = bench({
      everyEvents: 2,
      signer: {
        ...real,
        sign: async (data) => {
          if (down) throw new Error('KMS unavailable');
          return real.sign(data);
        },
      },
      publish: (_, { size }) => {
        published.push(size);
        throw new Error('bucket unavailable');
      },
    });
    await append(log, 50);
    await expect(log.checkpoint()).rejects.toThrow('KMS unavailable');
    expect(log.stats()).toMatchObject({ stored: 50, checkpointed: 0 });
    down = false;
    await append(log, 3);
    expect(published.at(-1)).toBe(53);
    expect((await verifyLog(sink.source, { keys: [key.verifierKey] })).checkpoints.covered).toBe(
      53,
    );
  });

  it('never signs over events that are not durable', async () => {
    const sink = new ScriptedSink('a');
    const sizes: number[] = [];
    const log = auditLog({
      sinks: [sink],
      checkpoints: {
        signer: noteSigner(key.secretKey),
        everyEvents: 1,
        publish: (_, { size }) => sizes.push(size),
      },
    });
    await append(log, 2);
    sink.hold();
    const pending = Array.from({ length: 5 }, () => log.append(event));
    await settle();
    expect(Math.max(...sizes)).toBe(2);
    sink.release();
    await Promise.all(pending);
    await log.checkpoint();
    expect(Math.max(...sizes)).toBe(7);
  });

  it('rejects checkpoint() without a signer', async () => {
    await expect(auditLog({ sinks: [memorySink()] }).checkpoint()).rejects.toThrow('has no signer');
    expect(() => auditLog({ checkpoints: { signer: {} as never } })).toThrow(
      'checkpoints: signer.sign must be a function, got undefined',
    );
    expect(() => bench({ origin: 'two\nlines' })).toThrow('origin must be one line');
    expect(() => bench({ everyEvents: 0 })).toThrow('everyEvents must be an integer >= 1');
  });
});
