import { ManualClock, settle } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import { ScriptedSink } from '../../test/scripted-sink.ts';
import type { AuditEvent, AuditEventInput } from '../chain/event.ts';
import type { AuditUnavailableError } from '../errors.ts';
import { verifyLog } from '../read/verify.ts';
import { memorySink } from '../sinks/memory/memory-sink.ts';
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

describe('record', () => {
  it('drops events of record beyond queueLimit and logs how many', async () => {
    const {
      log,
      sinks: [sink],
    } = bench({ queueLimit: 5 });
    await log.ready();
    sink?.hold();
    for (let i = 0; i < 12; i++) log.record(event(`n${i}`));
    expect(log.stats()).toMatchObject({ dropped: 7, pending: 5 });
    sink?.release();
    await expect(log.flush()).rejects.toMatchObject({ code: 'AUDIT_LOST', lost: 7 });
    await log.flush();
    expect(actions(sink?.lines ?? [])).toEqual(['n0', 'n1', 'n2', 'n3', 'n4', 'account']);
    expect(JSON.parse(sink?.lines.at(-1) ?? '').details).toMatchObject({ dropped: 7, refused: 0 });
    log.record(event('again'));
    await log.flush();
    expect(actions(sink?.lines ?? []).at(-1)).toBe('again');
  });

  it('logs how many events of record were lost while the log was unavailable', async () => {
    const {
      log,
      clock,
      sinks: [sink],
    } = bench();
    await log.append(event('one'));
    (sink as ScriptedSink).failWith = full;
    await expect(log.append(event('two'))).rejects.toThrow();
    log.record(event('lost'));
    await settle();
    expect(log.stats()).toMatchObject({ refused: 2 });
    (sink as ScriptedSink).failWith = undefined;
    await clock.advance(250);
    await log.append(event('three'));
    expect(JSON.parse(sink?.lines[2] ?? '').details).toMatchObject({ refused: 2 });
  });
});

describe('several sinks', () => {
  it("acknowledges with rule 'all' after the last sink has stored and rejects when one fails", async () => {
    const {
      log,
      sinks: [a, b],
    } = bench({}, ['a', 'b']);
    await log.ready();
    b?.hold();
    let done = false;
    const appended = log.append(event('one')).then(() => {
      done = true;
    });
    await settle();
    expect([a?.lines.length, done]).toEqual([1, false]);
    b?.release();
    await appended;
    (b as ScriptedSink).failWith = full;
    await expect(log.append(event('two'))).rejects.toThrow('needs 2 sinks');
    expect([a?.lines.length, b?.lines.length]).toEqual([2, 1]);
  });

  it("acknowledges with rule 'any' after one sink has stored and catches the other up", async () => {
    const {
      log,
      clock,
      sinks: [a, b],
    } = bench({ rule: 'any' }, ['a', 'b']);
    await log.append(event('one'));
    (b as ScriptedSink).failWith = full;
    for (let i = 0; i < 5; i++) await log.append(event(`n${i}`));
    expect([a?.lines.length, b?.lines.length]).toEqual([6, 1]);
    (b as ScriptedSink).failWith = undefined;
    await clock.advance(250);
    await log.append(event('last'));
    await log.close();
    expect(b?.lines).toEqual(a?.lines);
    expect(await verified(b as ScriptedSink)).toBe(7);
  });

  it('catches a lagging sink up from another sink beyond holdLimit', async () => {
    const {
      log,
      clock,
      sinks: [a, b],
    } = bench({ rule: 'any', holdLimit: 10 }, ['a', 'b']);
    await log.append(event('one'));
    (b as ScriptedSink).failWith = full;
    for (let i = 0; i < 50; i++) await log.append(event(`n${i}`));
    expect(log.stats().sinks[1]).toMatchObject({ behind: true });
    expect(log.stats().sinks[1]?.held).toBeLessThanOrEqual(10);
    (b as ScriptedSink).failWith = undefined;
    await clock.advance(250);
    await log.append(event('last'));
    await log.close();
    expect(b?.lines).toEqual(a?.lines);
  });

  it('keeps events beyond holdLimit that no other sink has stored yet', async () => {
    const { log, clock, sinks } = bench({ rule: 'any', holdLimit: 10 }, ['a', 'b']);
    const [a, b] = sinks as [ScriptedSink, ScriptedSink];
    await log.append(event('one'));
    b.failWith = full;
    for (let i = 0; i < 10; i++) await log.append(event(`n${i}`));
    a.hold();
    const later = Array.from({ length: 5 }, (_, i) => log.append(event(`m${i}`)));
    await settle();
    expect(log.stats().sinks[1]).toMatchObject({ behind: true });
    b.failWith = undefined;
    await clock.advance(250);
    later.push(log.append(event('last')));
    await settle();
    // The first ones from the other sink, and those that it has not stored from memory.
    expect(actions(b.lines).slice(-7)).toEqual(['n9', 'm0', 'm1', 'm2', 'm3', 'm4', 'last']);
    await Promise.all(later);
    a.release();
    await log.close();
    expect(a.lines).toEqual(b.lines);
    expect(await verified(b)).toBe(17);
  });

  it('counts the events that a sink without a chain of its own will never receive', async () => {
    const clock = new ManualClock();
    const stream = Object.assign(new ScriptedSink('stream'), { durable: false });
    const log = auditLog({ clock, sinks: [new ScriptedSink('a'), stream], holdLimit: 10 });
    stream.failWith = full;
    for (let i = 0; i < 25; i++) await log.append(event(`n${i}`));
    const { missed = 0, held = 0 } = log.stats().sinks[1] ?? {};
    expect(missed).toBeGreaterThan(0);
    expect(missed + held).toBe(25);
    stream.failWith = undefined;
    await clock.advance(250);
    await log.append(event('last'));
    await log.close();
    const received = Array.from({ length: held }, (_, i) => `n${missed + i}`);
    expect(actions(stream.lines)).toEqual([...received, 'last']);
  });

  it('acknowledges with a quorum of two of three without the slowest sink', async () => {
    const {
      log,
      sinks: [a, b, c],
    } = bench({ rule: { quorum: 2 } }, ['a', 'b', 'c']);
    await log.ready();
    c?.hold();
    await log.append(event('one'));
    expect([a?.lines.length, b?.lines.length, c?.lines.length]).toEqual([1, 1, 0]);
    (b as ScriptedSink).failWith = full;
    const waiting = log.append(event('two')); // the slow one may still make up the quorum
    await settle();
    expect(a?.lines).toHaveLength(2);
    c?.release();
    expect(await waiting).toMatchObject({ sequence: 2 });
    expect(c?.lines).toEqual(a?.lines);
    (c as ScriptedSink).failWith = full;
    await expect(log.append(event('three'))).rejects.toThrow('needs 2 sinks');
  });

  it('continues from the longest chain at startup and catches the other sinks up', async () => {
    const earlier = bench({ rule: 'any' }, ['a', 'b']);
    await earlier.log.append(event('one'));
    (earlier.sinks[0] as ScriptedSink).failWith = full;
    await earlier.log.append(event('two'));
    const a = new ScriptedSink('a', earlier.sinks[0]?.lines);
    const b = new ScriptedSink('b', earlier.sinks[1]?.lines);
    expect([a.lines.length, b.lines.length]).toEqual([1, 2]);
    const log = auditLog({ sinks: [a, b] });
    expect(await log.append(event('three'))).toMatchObject({ sequence: 3 });
    expect(a.lines).toEqual(b.lines);
    expect(actions(a.lines)).toEqual(['one', 'two', 'three']);
  });

  it('rejects a sink whose chain has forked', async () => {
    const one = bench();
    await one.log.append(event('one'));
    const other = bench();
    await other.log.append(event('other'));
    await other.log.append(event('more'));
    const a = new ScriptedSink('a', one.sinks[0]?.lines);
    const b = new ScriptedSink('b', other.sinks[0]?.lines);
    const log = auditLog({ sinks: [a, b] });
    const error = (await log
      .append(event())
      .catch((thrown: unknown) => thrown)) as AuditUnavailableError;
    expect(error.cause).toMatchObject({ code: 'AUDIT_FORKED' });
    expect(a.lines).toHaveLength(1);
  });

  it('ignores sinks that are not durable when counting acknowledgements', async () => {
    const durable = new ScriptedSink('durable');
    const ring = memorySink();
    const log = auditLog({ sinks: [ring, durable] });
    await log.append(event('one'));
    durable.failWith = full;
    await expect(log.append(event('two'))).rejects.toThrow('needs 1 sink');
  });
});

describe('closing', () => {
  it('stores pending events on close, closes each sink once and rejects later events', async () => {
    const {
      log,
      sinks: [sink],
    } = bench();
    log.record(event('one'));
    await Promise.all([log.close(), log.close()]);
    expect(sink?.lines).toHaveLength(1);
    expect(sink?.closed).toBe(true);
    await expect(log.append(event())).rejects.toMatchObject({ code: 'AUDIT_CLOSED' });
    expect(() => log.record(event())).toThrow('is closed');
    expect(log.stats().state).toBe('closed');
  });

  it('closes the sinks and rejects close() when events could not be stored', async () => {
    const {
      log,
      sinks: [sink],
    } = bench();
    await log.append(event('one'));
    (sink as ScriptedSink).failWith = full;
    await expect(log.append(event('two'))).rejects.toThrow();
    await expect(log.close()).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    expect(sink?.closed).toBe(true);
  });

  it('does not open an unused log and supports await using', async () => {
    const sink = new ScriptedSink('a');
    {
      await using log = auditLog({ sinks: [sink] });
      expect(log.stats().state).toBe('idle');
    }
    expect(sink.opens).toBe(0);
    {
      await using log = auditLog({ sinks: [sink] });
      log.record(event());
    }
    expect(sink.lines).toHaveLength(1);
    expect(sink.closed).toBe(true);
  });

  it('leaves no timer running after close', async () => {
    const { log, clock } = bench();
    for (let i = 0; i < 10; i++) await log.append(event());
    await log.close();
    expect(clock.pending).toBe(0);
  });
});
