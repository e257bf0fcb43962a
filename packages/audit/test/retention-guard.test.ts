import { join } from 'node:path';
import type { Clock } from '@temper/core';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../src/chain/event.ts';
import { generateSigningKey, noteSigner } from '../src/chain/signing-key.ts';
import type { AuditLog } from '../src/log/audit-log.ts';
import { auditLog } from '../src/log/durable-log.ts';
import type { AuditLogOptions } from '../src/log/options.ts';
import { verifyLog } from '../src/read/verify.ts';
import { fileSink } from '../src/sinks/file/file-sink.ts';
import type { AuditSink } from '../src/sinks/sink.ts';
import { sqliteSink } from '../src/sinks/sqlite/sqlite-sink.ts';
import { ScriptedSink } from './scripted-sink.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const [HOUR, DAY] = [3_600_000, 86_400_000];
const YEAR = 365 * DAY;
const START = Date.parse('2026-01-01T00:00:00.000Z');
const key = generateSigningKey('example.com/audit');

/** A clock whose wall time can be set apart from its monotonic time. */
class SteppingClock implements Clock {
  readonly #inner = new ManualClock(START);
  step = 0;
  now(): number {
    return this.#inner.now() + this.step;
  }
  monotonic(): number {
    return this.#inner.monotonic();
  }
  sleep: Clock['sleep'] = (...args) => this.#inner.sleep(...args);
  schedule: Clock['schedule'] = (...args) => this.#inner.schedule(...args);
  advance(ms: number): Promise<void> {
    return this.#inner.advance(ms);
  }
}

type Kind = (path: string, clock: Clock) => AuditSink;
const SINKS: readonly [string, Kind][] = [
  [
    'files',
    (directory, clock) =>
      fileSink({ directory, clock, maxSegmentBytes: 1_500, maxAgeMs: 30 * DAY, gzip: false }),
  ],
  ['SQLite', (path, clock) => sqliteSink({ path: `${path}.db`, clock, maxAgeMs: 30 * DAY })],
];

function open(sink: AuditSink, clock: Clock, options: AuditLogOptions = {}): AuditLog {
  const signer = noteSigner(key.secretKey);
  const checkpoints = { signer, everyMs: Number.POSITIVE_INFINITY };
  return auditLog({ sinks: [sink], clock, checkpoints, sinkTimeoutMs: Infinity, ...options });
}

let made = 0;
async function write(log: AuditLog, clock: SteppingClock, events: number): Promise<void> {
  for (let i = 0; i < events; i++) {
    await log.append({ eventType: 'o', action: `step ${++made}`, resource: 'r', status: 's' });
    await clock.advance(HOUR);
  }
}

/** The events that are left, after everything that may be removed has been. */
async function left(log: AuditLog): Promise<AuditEvent[]> {
  const events: AuditEvent[] = [];
  await log.getEvents(0);
  for await (const event of log.stream()) events.push(event);
  return events;
}

async function removals(log: AuditLog): Promise<number> {
  const { events } = await log.query({ eventType: 'audit', action: 'retire', limit: 100 });
  return events.length;
}

describe.each(SINKS)('retention by age of %s', (_, make) => {
  /** Runs one process after another on one log. */
  async function processes(
    ...each: readonly ((log: AuditLog, clock: SteppingClock) => Promise<void>)[]
  ): Promise<void> {
    using directory = temporaryDirectory();
    const clock = new SteppingClock();
    const path = join(directory.path, 'log');
    for (const work of each) {
      const log = open(make(path, clock), clock);
      await work(log, clock);
      await log.close();
      const check = open(make(path, clock), clock);
      const { problem } = await check.verify({ keys: [key.verifierKey] });
      expect(problem).toBeUndefined();
      await check.close();
    }
  }

  it('removes old events', () =>
    processes(
      (log, clock) => write(log, clock, 20),
      async (log, clock) => {
        for (let i = 0; i < 40; i++) {
          await clock.advance(DAY);
          await write(log, clock, 1);
        }
      },
      async (log) => {
        expect(await removals(log)).toBeGreaterThan(0);
        expect((await left(log))[0]?.sequence).toBeGreaterThan(5);
      },
    ));

  it('removes nothing after the clock has jumped a year ahead, until that is confirmed', () =>
    processes(
      async (log, clock) => {
        await write(log, clock, 20);
        clock.step = YEAR;
        await write(log, clock, 20);
        expect(await log.retention()).toEqual({ holds: [], clockStepMs: YEAR });
      },
      async (log, clock) => {
        await write(log, clock, 20);
        expect(await removals(log)).toBe(0);
        expect((await left(log))[0]?.sequence).toBe(1);
        const { details } = await log.confirmClock();
        expect(details).toEqual({ stepMs: -YEAR, confirmed: true });
        await clock.advance(2 * DAY);
        await write(log, clock, 20);
        await expect(log.confirmClock()).rejects.toThrow(RangeError);
      },
      async (log) => expect(await removals(log)).toBeGreaterThan(0),
    ));

  it('removes nothing after the clock has jumped while no process ran', () =>
    processes(
      (log, clock) => write(log, clock, 20),
      async (log, clock) => {
        clock.step = YEAR;
        await write(log, clock, 20);
      },
      async (log, clock) => {
        await write(log, clock, 20);
        expect(await removals(log)).toBe(0);
        clock.step = 0;
        await write(log, clock, 20);
        expect(await log.retention()).toEqual({ holds: [], clockStepMs: 0 });
      },
    ));

  it('removes nothing while a hold is in force, in later processes too', () =>
    processes(
      async (log, clock) => {
        await write(log, clock, 20);
        const { details } = await log.hold('case 17', 'by order of the court');
        expect(details).toEqual({ name: 'case 17', reason: 'by order of the court' });
      },
      async (log, clock) => {
        for (let i = 0; i < 40; i++) {
          await clock.advance(DAY);
          await write(log, clock, 1);
        }
        expect(await log.retention()).toEqual({ holds: ['case 17'], clockStepMs: 0 });
        expect(await removals(log)).toBe(0);
        expect((await left(log))[0]?.sequence).toBe(1);
        await expect(log.release('case 18')).rejects.toThrow(RangeError);
        await log.release('case 17');
        await clock.advance(2 * DAY);
        await write(log, clock, 20);
      },
      async (log) => expect(await removals(log)).toBeGreaterThan(0),
    ));
});

describe('a hold', () => {
  it('must have a name that is stored as it is', async () => {
    const log = open(new ScriptedSink('a'), new SteppingClock());
    for (const name of ['', 'x'.repeat(257), '\ud800', 'a\0', 7] as string[]) {
      await expect(log.hold(name)).rejects.toThrow(TypeError);
    }
    await expect(log.hold('a', '')).rejects.toThrow(TypeError);
    await log.close();
    await expect(log.hold('a')).rejects.toMatchObject({ code: 'AUDIT_CLOSED' });
  });

  it('waits for a removal in progress, and stops one that has only been stated', async () => {
    const sink = new ScriptedSink('a');
    let finish = (): void => undefined;
    const retired: number[] = [];
    const found = { from: 1, to: 3 };
    const retiring: AuditSink = Object.assign(sink, {
      retirable: async () => {
        const event = JSON.parse(sink.lines[found.to - 1] ?? 'null') as AuditEvent | null;
        return event === null || retired.length > 0 ? undefined : { ...event, from: found.from };
      },
      retire: async ({ sequence }: { sequence: number }) => {
        retired.push(sequence);
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
      },
    });
    const clock = new SteppingClock();
    const log = open(retiring, clock);
    await write(log, clock, 6);
    await expect.poll(() => retired).toEqual([3]);
    let held = false;
    const holding = log.hold('case 17').then(() => {
      held = true;
    });
    await write(log, clock, 1);
    expect(held).toBe(false);
    finish();
    await holding;
    await log.close();
  });

  it('that a removal was stated under is a problem of the log', async () => {
    const { Intake } = await import('../src/log/intake/intake.ts');
    const { Redactor } = await import('../src/log/intake/redaction.ts');
    const { DEFAULT_LIMITS } = await import('../src/log/options.ts');
    const { genesis, parseLine } = await import('../src/chain/hash-chain.ts');
    const { memorySink } = await import('../src/sinks/memory/memory-sink.ts');
    const intake = new Intake({
      now: () => START,
      activeSpan: () => undefined,
      redactor: new Redactor(),
      limits: DEFAULT_LIMITS,
    });
    const lines: string[] = [];
    let head = genesis('x');
    for (const [action, details] of [
      ['hold', { name: 'case 17' }],
      ['retire', { sink: 'file', from: 1, to: 1, hash: '' }],
    ] as const) {
      const own = { eventType: 'audit', action, resource: 'audit', status: 'success', details };
      const sealed = intake.prepare(own).seal(head);
      lines.push(sealed.line);
      head = parseLine(sealed.line);
    }
    const { problem } = await verifyLog(memorySink({ lines }).source);
    expect(problem).toMatchObject({ kind: 'held', sequence: 2 });
  });
});

it('states what it removes in events that redaction leaves alone', async () => {
  using directory = temporaryDirectory();
  const path = join(directory.path, 'log.db');
  const log = auditLog({
    sinks: [sqliteSink({ path, maxEvents: 20 })],
    redaction: { allow: [] },
    limits: { maxStringLength: 16 },
    checkpoints: { signer: noteSigner(key.secretKey), everyMs: Number.POSITIVE_INFINITY },
  });
  for (let i = 0; i < 200; i++) {
    await log.append({ eventType: 'o', action: 'a', resource: 'r', status: 's' });
  }
  await log.close();
  const check = auditLog({ sinks: [sqliteSink({ path })] });
  const { problem, anchor } = await check.verify({ keys: [key.verifierKey] });
  expect([problem, (anchor?.sequence ?? 0) > 0]).toEqual([undefined, true]);
  await check.close();
});
