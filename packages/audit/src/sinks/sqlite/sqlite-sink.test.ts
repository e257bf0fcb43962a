import { DatabaseSync } from 'node:sqlite';
import { ManualClock } from '@temper/testkit/clock';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type TemporaryDirectory, temporaryDirectory } from '../../../test/temporary-directory.ts';
import type { AuditEvent, AuditEventInput } from '../../chain/event.ts';
import { generateSigningKey, noteSigner } from '../../chain/signing-key.ts';
import { auditLog } from '../../log/durable-log.ts';
import { type AuditQuery, streamEvents } from '../../read/query.ts';
import { verifyLog } from '../../read/verify.ts';
import { memorySink } from '../memory/memory-sink.ts';
import { type SqliteSinkOptions, sqliteSink } from './sqlite-sink.ts';
import { SqliteSource } from './sqlite-source.ts';

const event = (action: string): AuditEventInput => ({
  eventType: 'o',
  action,
  resource: 'r',
  status: 's',
});
let directory: TemporaryDirectory;
let path: string;
beforeEach(() => {
  directory = temporaryDirectory();
  path = `${directory.path}/audit.db`;
});
afterEach(() => directory[Symbol.dispose]());

async function collect(source: SqliteSource, query: AuditQuery): Promise<AuditEvent[]> {
  const found: AuditEvent[] = [];
  for await (const item of streamEvents(source, query)) found.push(item);
  return found;
}

describe('sqliteSink', { timeout: 180_000 }, () => {
  it('is the default sink of a log', async () => {
    const before = process.cwd();
    process.chdir(directory.path);
    try {
      const log = auditLog();
      await log.append(event('one'));
      await log.close();
    } finally {
      process.chdir(before);
    }
    expect(await verifyLog(new SqliteSource(path))).toMatchObject({
      problem: undefined,
      events: 1,
    });
  });

  it('uses a write-ahead log with synchronous=FULL', async () => {
    const log = auditLog({ sinks: [sqliteSink({ path })] });
    await log.append(event('one'));
    const reader = new DatabaseSync(path, { readOnly: true });
    expect(reader.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' });
    expect(reader.prepare('SELECT action, sequence FROM audit').all()).toEqual([
      { action: 'one', sequence: 1 },
    ]);
    reader.close();
    await log.close();
  });

  it('continues the chain after reopening and rejects a second writer', async () => {
    const first = auditLog({ sinks: [sqliteSink({ path })] });
    await first.append(event('one'));
    const second = auditLog({ sinks: [sqliteSink({ path })], sinkRetryMs: 0 });
    await expect(second.ready()).rejects.toMatchObject({
      cause: { code: 'AUDIT_LOCKED', location: path },
    });
    await first.close();
    expect(await second.append(event('two'))).toMatchObject({ sequence: 2 });
    await second.close();
  });

  it('rejects a database of another application', async () => {
    const other = new DatabaseSync(path);
    other.exec('CREATE TABLE things (id INTEGER)');
    other.close();
    const log = auditLog({ sinks: [sqliteSink({ path })] });
    await expect(log.ready()).rejects.toMatchObject({ cause: { code: 'AUDIT_CORRUPT' } });
    await log.close().catch(() => undefined);
  });

  it('uses, creates and drops the configured indexes', async () => {
    const plan = (sql: string): string => {
      const reader = new DatabaseSync(path, { readOnly: true });
      const rows = reader.prepare(`EXPLAIN QUERY PLAN ${sql}`).all() as { detail: string }[];
      reader.close();
      return rows.map(({ detail }) => detail).join();
    };
    const byTrace = `SELECT line FROM event WHERE (line ->> '$.traceId') IN ('x')`;
    const byAction = `SELECT line FROM event WHERE (line ->> '$.action') IN ('x')`;
    const log = auditLog({ sinks: [sqliteSink({ path })] });
    await log.append(event('one'));
    await log.close();
    expect(plan(byTrace)).toContain('event_traceId');
    expect(plan(byAction)).toContain('SCAN');
    const again = auditLog({ sinks: [sqliteSink({ path, indexes: ['action'] })] });
    await again.append(event('two'));
    await again.close();
    expect(plan(byTrace)).toContain('SCAN');
    expect(plan(byAction)).toContain('event_action');
  });

  it('returns the same events with and without an index, in either order and any range', async () => {
    const log = auditLog({ sinks: [sqliteSink({ path, indexes: ['action'] })] });
    await Promise.all(Array.from({ length: 3_000 }, (_, i) => log.append(event(`n${i % 2}`))));
    await log.close();
    const source = new SqliteSource(path);
    const all = (await collect(source, {})).filter(({ action }) => action === 'n1');
    expect(all).toHaveLength(1_500);
    expect(await collect(source, { action: 'n1' })).toEqual(all);
    expect(await collect(source, { action: 'n1', order: 'desc' })).toEqual([...all].reverse());
    const range = { fromSequence: 100, toSequence: 2_600 };
    const within = all.filter(({ sequence }) => sequence >= 100 && sequence <= 2_600);
    expect(await collect(source, { action: ['n1', 'none'], ...range })).toEqual(within);
    source.close();
  });

  it('detects an event stored under another sequence', async () => {
    const log = auditLog({ sinks: [sqliteSink({ path })] });
    for (let i = 0; i < 5; i++) await log.append(event(`n${i}`));
    await log.close();
    const behind = new DatabaseSync(path);
    behind.exec('UPDATE event SET sequence = 1000 WHERE sequence = 5');
    behind.close();
    expect((await verifyLog(new SqliteSource(path))).problem).toMatchObject({ sequence: 5 });
    const beyond = new DatabaseSync(path);
    beyond.exec('UPDATE event SET sequence = 9223372036854775807 WHERE sequence = 1000');
    beyond.close();
    expect((await verifyLog(new SqliteSource(path))).ok).toBe(false);
  });

  it.each([
    [{}, 'path must be a non-empty string'],
    [{ path: 'x', maxEvents: 0 }, 'maxEvents must be an integer >= 1'],
    [{ path: 'x', indexes: ['colour'] }, 'indexes must be some of id, timestamp'],
    [{ path: 'x', retention: 1 }, "unknown option 'retention'"],
  ])('rejects %j', (options, message) => {
    expect(() => sqliteSink(options as SqliteSinkOptions)).toThrow(message);
  });
});

describe('retention', { timeout: 180_000 }, () => {
  const key = generateSigningKey('log');

  it('removes the oldest events beyond maxEvents and keeps the log verifiable', async () => {
    const everything = memorySink();
    const log = auditLog({
      sinks: [sqliteSink({ path, maxEvents: 20 }), everything],
      checkpoints: { signer: noteSigner(key.secretKey), everyEvents: 7 },
    });
    for (let i = 1; i <= 60; i++) {
      await Promise.all(Array.from({ length: 10 }, () => log.append(event(`n${i}`))));
    }
    const { note } = await log.checkpoint();
    await log.close();
    const report = await verifyLog(new SqliteSource(path), {
      keys: [key.verifierKey],
      checkpoints: [note],
    });
    expect(report.problem).toBeUndefined();
    expect(report.events).toBeLessThanOrEqual(120);
    expect(report.anchor?.sequence).toBe(report.first - 1);
    expect(report.checkpoints.trusted).toBeGreaterThan(1);
    const retired: number[] = [];
    for await (const { details } of streamEvents(everything.source, { action: 'retire' })) {
      expect(details.from).toBe((retired.at(-1) ?? 0) + 1); // every removal is accounted for, once
      retired.push(details.to as number);
    }
    // How many there are depends on how long the signatures take.
    expect(retired.length).toBeGreaterThan(1);
    expect(retired.at(-1)).toBe(report.anchor?.sequence);
  });

  it('removes events older than maxAgeMs', async () => {
    const clock = new ManualClock();
    const log = auditLog({ clock, sinks: [sqliteSink({ path, maxAgeMs: 600_000, clock })] });
    for (let i = 0; i < 30; i++) {
      await log.append(event(`n${i}`));
      await log.flush(); // the write of a 'retire' event must not meet its timeout
      await clock.advance(60_000);
    }
    await log.close();
    const report = await verifyLog(new SqliteSource(path));
    expect(report.problem).toBeUndefined();
    const kept: string[] = [];
    for await (const { action } of streamEvents(new SqliteSource(path)))
      if (action !== 'retire') kept.push(action);
    expect(kept[0]).toMatch(/^n(19|20)$/);
    expect(kept.at(-1)).toBe('n29');
  });
});
