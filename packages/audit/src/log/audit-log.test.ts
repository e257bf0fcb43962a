import { ManualClock, settle } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { ScriptedSink } from '../../test/scripted-sink.ts';
import type { AuditEvent, AuditEventInput } from '../chain/event.ts';
import { genesis } from '../chain/hash-chain.ts';
import type { AuditUnavailableError } from '../errors.ts';
import { verifyLog } from '../read/verify.ts';
import type { AuditLog } from './audit-log.ts';
import { auditLog } from './durable-log.ts';
import type { AuditLogOptions } from './options.ts';

const event = (action = 'fetch', more: Partial<AuditEventInput> = {}): AuditEventInput => ({
  eventType: 'operation',
  action,
  resource: 'stdlib',
  status: 'success',
  ...more,
});

const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });

interface Bench {
  readonly log: AuditLog;
  readonly clock: ManualClock;
  readonly sinks: readonly ScriptedSink[];
}

function bench(
  options: Omit<AuditLogOptions, 'sinks'> = {},
  names: readonly string[] = ['a'],
): Bench {
  const clock = new ManualClock();
  const sinks = names.map((name) => new ScriptedSink(name));
  return { clock, sinks, log: auditLog({ clock, sinks, ...options }) };
}

const actions = (lines: readonly string[]): string[] =>
  lines.map((line) => (JSON.parse(line) as AuditEvent).action);

async function verified(sink: ScriptedSink): Promise<number> {
  const report = await verifyLog(sink.source);
  expect(report.problem).toBeUndefined();
  return report.events;
}

describe('append', () => {
  it('assigns sequence, hash chain, id and timestamp, and freezes the event', async () => {
    const { log } = bench();
    const first = await log.append(
      event('one', { actor: 'ann', details: { version: '1.0.0' }, durationMs: 2 }),
    );
    const second = await log.append(event('two', { error: new TypeError('bad') }));
    expect(first).toMatchObject({
      sequence: 1,
      v: 2,
      log: first.log,
      prev: genesis(first.log).hash,
      timestamp: '2023-11-14T22:13:20.000Z',
      eventType: 'operation',
      action: 'one',
      resource: 'stdlib',
      status: 'success',
      actor: { id: 'ann' },
      details: { version: '1.0.0' },
      durationMs: 2,
    });
    expect(second).toMatchObject({
      sequence: 2,
      prev: first.hash,
      error: { name: 'TypeError', message: 'bad' },
    });
    expect(Object.isFrozen(first)).toBe(true);
  });

  it('resolves append only after the sink has stored the event', async () => {
    const {
      log,
      sinks: [sink],
    } = bench();
    await log.ready();
    sink?.hold();
    let done = false;
    const appended = log.append(event()).then(() => {
      done = true;
    });
    await settle();
    expect(done).toBe(false);
    sink?.release();
    await appended;
    expect(sink?.lines).toHaveLength(1);
  });

  it('writes all events that arrive during a write in the next batch', async () => {
    const {
      log,
      sinks: [sink],
    } = bench();
    await log.ready();
    sink?.hold();
    const first = log.append(event());
    await settle();
    const rest = Array.from({ length: 100 }, () => log.append(event()));
    sink?.release();
    await Promise.all([first, ...rest]);
    expect(sink?.batches).toEqual([1, 100]);
    expect(await verified(sink as ScriptedSink)).toBe(101);
  });

  it('keeps the call order of append and record', async () => {
    const {
      log,
      sinks: [sink],
    } = bench();
    const names = Array.from({ length: 50 }, (_, i) => `n${i}`);
    const events = names.map((name, i) => {
      if (i % 2 === 0) return log.append(event(name));
      log.record(event(name));
      return undefined;
    });
    await log.flush();
    await Promise.all(events);
    expect(actions(sink?.lines ?? [])).toEqual(names);
  });

  it.each([
    ['no action', { action: '' }, 'action must be a non-empty string'],
    ['a number as type', { eventType: 1 }, 'eventType must be a non-empty string, got 1'],
    ['a status of 257 characters', { status: 'x'.repeat(257) }, 'at most 256 characters'],
    ['no resource', { resource: undefined }, 'resource must be a non-empty string'],
    ['a string as details', { details: 'text' }, "details must be an object, got 'text'"],
    ['a negative duration', { durationMs: -1 }, 'durationMs must be a number >= 0'],
    ['an actor without an id', { actor: { name: 'ann' } }, 'actor.id must be a non-empty string'],
  ])('rejects an event with %s', async (_, more, message) => {
    const {
      log,
      sinks: [sink],
    } = bench();
    const bad = { ...event(), ...more } as AuditEventInput;
    await expect(log.append(bad)).rejects.toThrow(message);
    expect(() => log.record(bad)).toThrow(message);
    await log.flush();
    expect(sink?.lines).toHaveLength(0);
  });

  it('redacts an event before any sink receives it', async () => {
    const {
      log,
      sinks: [sink],
    } = bench();
    await log.append(event('login', { details: { password: 'hunter2' }, error: new Error('x') }));
    expect(sink?.lines[0]).not.toContain('hunter2');
  });
});

describe('a failing sink with whenUnavailable: refuse', () => {
  it('rejects append while the sink fails, stores the held events on recovery and logs the outage', async () => {
    const {
      log,
      clock,
      sinks: [sink],
    } = bench();
    await log.append(event('one'));
    (sink as ScriptedSink).failWith = full;
    const refused = await log.append(event('two')).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      name: 'AuditUnavailableError',
      code: 'AUDIT_UNAVAILABLE',
      policy: 'audit',
      required: 1,
      failures: [{ sink: 'a', error: full }],
      cause: full,
      message:
        "Audit log 'audit' needs 1 sink to store an event, but too few are available (a: no space left on device).",
    });
    expect(log.stats()).toMatchObject({ state: 'unavailable', refused: 1, pending: 1 });
    (sink as ScriptedSink).failWith = undefined;
    await clock.advance(250);
    await log.append(event('three'));
    expect(actions(sink?.lines ?? [])).toEqual(['one', 'two', 'account', 'three']);
    expect(JSON.parse(sink?.lines[2] ?? '')).toMatchObject({
      eventType: 'audit',
      resource: 'audit',
      details: {
        refused: 1,
        degraded: 0,
        dropped: 0,
        since: '2023-11-14T22:13:20.000Z',
        until: '2023-11-14T22:13:20.250Z',
      },
    });
    expect(await verified(sink as ScriptedSink)).toBe(4);
    expect(log.stats()).toMatchObject({ state: 'open', refused: 1, stored: 4, pending: 0 });
  });

  it('rejects at once and does not retry a sink before sinkRetryMs has passed', async () => {
    const {
      log,
      clock,
      sinks: [sink],
    } = bench({ sinkRetryMs: 1_000 });
    await log.append(event());
    (sink as ScriptedSink).failWith = full;
    await expect(log.append(event())).rejects.toThrow(/too few are available/);
    const opens = sink?.opens;
    for (let i = 0; i < 10; i++)
      await expect(log.append(event())).rejects.toThrow(/too few are available/);
    expect(() => log.assertAvailable()).toThrow(/too few are available/);
    expect(sink?.opens).toBe(opens);
    await clock.advance(1_000);
    expect(() => log.assertAvailable()).not.toThrow();
    await expect(log.append(event())).rejects.toThrow(/too few are available/);
    expect(sink?.opens).toBe((opens ?? 0) + 1);
    expect(log.stats().refused).toBe(12);
  });

  it('settles every append with sinkRetryMs: 0', async () => {
    const {
      log,
      sinks: [sink],
    } = bench({ sinkRetryMs: 0 });
    await log.append(event());
    (sink as ScriptedSink).failWith = full;
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, () => log.append(event())),
    );
    expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
    await expect(log.append(event())).rejects.toThrow(/too few are available/);
  });

  it('does not store an event twice when the acknowledgement of a write is lost', async () => {
    const {
      log,
      clock,
      sinks: [sink],
    } = bench();
    await log.append(event('one'));
    (sink as ScriptedSink).failAfterStoring = new Error('connection reset');
    await expect(log.append(event('two'))).rejects.toThrow('connection reset');
    (sink as ScriptedSink).failAfterStoring = undefined;
    await clock.advance(250);
    await log.append(event('three'));
    expect(actions(sink?.lines ?? [])).toEqual(['one', 'two', 'account', 'three']);
    expect(await verified(sink as ScriptedSink)).toBe(4);
  });

  it('reports corruption when a sink has lost stored events', async () => {
    const {
      log,
      clock,
      sinks: [sink],
    } = bench();
    await log.append(event('one'));
    await log.append(event('two'));
    sink?.lines.pop();
    (sink as ScriptedSink).failWith = full;
    await expect(log.append(event())).rejects.toThrow();
    (sink as ScriptedSink).failWith = undefined;
    await clock.advance(250);
    const error = (await log
      .append(event())
      .catch((thrown: unknown) => thrown)) as AuditUnavailableError;
    expect(error.cause).toMatchObject({ code: 'AUDIT_CORRUPT', sequence: 2 });
  });

  it('treats a sink that exceeds sinkTimeoutMs as failed and accepts its late answer', async () => {
    const {
      log,
      clock,
      sinks: [sink],
    } = bench({ sinkTimeoutMs: 500 });
    await log.ready();
    sink?.hold();
    const appended = log.append(event('slow'));
    appended.catch(() => undefined);
    await clock.advance(500);
    await expect(appended).rejects.toThrow("Sink 'a' timed out after 500 ms");
    await expect(log.append(event('refused'))).rejects.toThrow('timed out');
    expect(log.stats().sinks[0]).toMatchObject({ health: 'stalled', failures: 1 });
    sink?.release();
    await settle();
    await log.append(event('after'));
    expect(actions(sink?.lines ?? [])).toEqual(['slow', 'account', 'after']);
  });

  it('reopens a sink whose first open failed', async () => {
    const {
      log,
      clock,
      sinks: [sink],
    } = bench();
    (sink as ScriptedSink).failOpenWith = new Error('locked');
    await expect(log.ready()).rejects.toThrow('locked');
    await expect(log.append(event('refused'))).rejects.toThrow('locked');
    (sink as ScriptedSink).failOpenWith = undefined;
    await clock.advance(250);
    await log.append(event('one'));
    expect(actions(sink?.lines ?? [])).toEqual(['account', 'one']);
  });
});

describe('a failing sink with whenUnavailable: degrade', () => {
  it('resolves append, holds the events and stores them on recovery with a record of the outage', async () => {
    const {
      log,
      clock,
      sinks: [sink],
    } = bench({ whenUnavailable: 'degrade' });
    await log.append(event('one'));
    (sink as ScriptedSink).failWith = full;
    expect(await log.append(event('two'))).toMatchObject({ sequence: 2, action: 'two' });
    const held = await log.append(event('three'));
    expect(held).toMatchObject({ sequence: 0, prev: '', hash: '', action: 'three' });
    expect(Object.isFrozen(held)).toBe(true);
    log.record(event('four'));
    expect(log.stats()).toMatchObject({
      state: 'unavailable',
      degraded: 2,
      dropped: 0,
      pending: 3,
    });
    (sink as ScriptedSink).failWith = undefined;
    await clock.advance(250);
    await log.append(event('five'));
    expect(actions(sink?.lines ?? [])).toEqual(['one', 'two', 'account', 'three', 'four', 'five']);
    expect(JSON.parse(sink?.lines[2] ?? '').details).toMatchObject({ degraded: 2, dropped: 0 });
    expect(await verified(sink as ScriptedSink)).toBe(6);
  });

  it('drops and counts events beyond holdLimit', async () => {
    const {
      log,
      clock,
      sinks: [sink],
    } = bench({ whenUnavailable: 'degrade', holdLimit: 3 });
    await log.append(event('one'));
    (sink as ScriptedSink).failWith = full;
    for (let i = 0; i < 10; i++) await log.append(event(`n${i}`));
    expect(log.stats()).toMatchObject({ degraded: 4, dropped: 6 });
    (sink as ScriptedSink).failWith = undefined;
    await clock.advance(250);
    await log.append(event('last'));
    expect(actions(sink?.lines ?? [])).toEqual(['one', 'n0', 'account', 'n1', 'n2', 'n3', 'last']);
    expect(JSON.parse(sink?.lines[2] ?? '').details).toMatchObject({ degraded: 4, dropped: 6 });
  });

  it('holds events while the log cannot be opened and appends them to the existing chain', async () => {
    const earlier = bench();
    await earlier.log.append(event('earlier'));
    const {
      log,
      clock,
      sinks: [sink],
    } = bench({ whenUnavailable: 'degrade' });
    sink?.lines.push(...(earlier.sinks[0]?.lines ?? []));
    (sink as ScriptedSink).failOpenWith = new Error('locked');
    expect(await log.append(event('held'))).toMatchObject({ sequence: 0 });
    (sink as ScriptedSink).failOpenWith = undefined;
    await clock.advance(250);
    expect(await log.append(event('after'))).toMatchObject({ sequence: 4 });
    expect(actions(sink?.lines ?? [])).toEqual(['earlier', 'account', 'held', 'after']);
    expect(await verified(sink as ScriptedSink)).toBe(4);
  });
});
