import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../src/chain/checkpoint.ts';
import { noteVerifier } from '../src/chain/signing-key.ts';
import { auditLog } from '../src/log/durable-log.ts';
import { migrateLog } from '../src/log/migrate.ts';
import { lastEvents } from '../src/read/query.ts';
import { verifyLog } from '../src/read/verify.ts';
import { fileSink } from '../src/sinks/file/file-sink.ts';
import { FileSource } from '../src/sinks/file/file-source.ts';
import type { AuditSink, AuditSource } from '../src/sinks/sink.ts';
import { sqliteSink } from '../src/sinks/sqlite/sqlite-sink.ts';
import { SqliteSource } from '../src/sinks/sqlite/sqlite-source.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** Written by the last version that wrote the format 1: 20 events in files and in a database. */
const FIXTURE = fileURLToPath(new URL('./fixtures/format-1', import.meta.url));

interface Former {
  readonly source: AuditSource & { close?(): Promise<void> };
  readonly sink: () => AuditSink;
}

const STORES: Readonly<Record<string, (directory: string) => Former>> = {
  files: (directory) => {
    const path = join(directory, 'old');
    cpSync(join(FIXTURE, 'files'), path, { recursive: true });
    return { source: new FileSource(path), sink: () => fileSink({ directory: path }) };
  },
  SQLite: (directory) => {
    const path = join(directory, 'old.db');
    writeFileSync(path, gunzipSync(readFileSync(join(FIXTURE, 'audit.db.gz'))));
    return { source: new SqliteSource(path), sink: () => sqliteSink({ path }) };
  },
};

describe.each(Object.entries(STORES))('a log of the format 1 in %s', (_, make) => {
  it.each<[string, (directory: string) => AuditSink]>([
    ['files', (directory) => fileSink({ directory: join(directory, 'new') })],
    ['SQLite', (directory) => sqliteSink({ path: join(directory, 'new.db') })],
  ])('is copied to %s with its content, and what proves where it came from', async (_, to) => {
    using directory = temporaryDirectory();
    const { source } = make(directory.path);
    const before: string[] = [];
    for await (const lines of source.read({})) before.push(...lines);
    const sink = to(directory.path);
    const report = await migrateLog(source, sink, 'new-log');
    expect(report).toMatchObject({ events: 20, sequence: 20, log: 'new-log' });
    const copy = sink.source as AuditSource & { close?(): Promise<void> };
    expect(await verifyLog(copy, { log: 'new-log' })).toMatchObject({
      verdict: 'valid',
      events: 21,
    });
    const events = await lastEvents(copy, 21);
    for (const [i, line] of before.entries()) {
      const { hash: _hash, prev: _prev, ...old } = JSON.parse(line) as Record<string, unknown>;
      expect(events[i]).toMatchObject(old);
    }
    // The root that the copy states is the one that the old key has signed.
    const [checkpoint] = await source.checkpoints();
    const key = readFileSync(join(FIXTURE, 'verifier-key'), 'utf8').trim();
    const signed = openCheckpoint(checkpoint?.note as string, [noteVerifier(key)]);
    expect(signed.size).toBe(20);
    expect(events[20]?.details.root).toBe(signed.root.toString('base64'));
    // The copy is a log that goes on.
    const log = auditLog({ sinks: [to(directory.path)] });
    const next = await log.append({ eventType: 'o', action: 'a', resource: 'r', status: 's' });
    expect(next.sequence).toBe(22);
    await log.close();
    await source.close?.();
    await copy.close?.();
  });

  it('is not appended to, and not verified as one of the present format', async () => {
    using directory = temporaryDirectory();
    const { source, sink } = make(directory.path);
    const report = await verifyLog(source);
    expect(report.problem).toMatchObject({ kind: 'malformed', sequence: 1 });
    expect(report.problem?.message).toContain('temper-audit migrate');
    await source.close?.();
    const log = auditLog({ sinks: [sink()] });
    const failed = log.append({ eventType: 'o', action: 'a', resource: 'r', status: 's' });
    await expect(failed).rejects.toMatchObject({ cause: { code: 'AUDIT_CORRUPT' } });
    await log.close().catch(() => undefined);
  });
});
