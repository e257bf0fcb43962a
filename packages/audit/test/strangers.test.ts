import {
  appendFileSync,
  copyFileSync,
  existsSync,
  linkSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../src/chain/event.ts';
import type { AuditLog } from '../src/log/audit-log.ts';
import { auditLog } from '../src/log/durable-log.ts';
import { streamEvents } from '../src/read/query.ts';
import { verifyLog } from '../src/read/verify.ts';
import { fileSink } from '../src/sinks/file/file-sink.ts';
import { FileSource } from '../src/sinks/file/file-source.ts';
import type { AuditSink, AuditSource } from '../src/sinks/sink.ts';
import { sqliteSink } from '../src/sinks/sqlite/sqlite-sink.ts';
import { SqliteSource } from '../src/sinks/sqlite/sqlite-source.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** A kind of store on which strangers act. */
interface Store {
  sink(location: string): AuditSink;
  source(location: string): AuditSource;
  /** The file that has the last event. */
  file(location: string): string;
  location(directory: string): string;
}

const STORES: Readonly<Record<'files' | 'SQLite', Store>> = {
  files: {
    sink: (directory) => fileSink({ directory, gzip: false }),
    source: (directory) => new FileSource(directory),
    file: (directory) => join(directory, '00000000000000000001.jsonl'),
    location: (directory) => join(directory, 'log'),
  },
  SQLite: {
    sink: (path) => sqliteSink({ path }),
    source: (path) => new SqliteSource(path),
    file: (path) => path,
    location: (directory) => join(directory, 'audit.db'),
  },
};

function open(store: Store, location: string): AuditLog {
  return auditLog({ sinks: [store.sink(location)], sinkRetryMs: 0 });
}

const event = (action: string) => ({ eventType: 'o', action, resource: 'r', status: 's' });

async function append(log: AuditLog, count: number): Promise<AuditEvent[]> {
  const stored: AuditEvent[] = [];
  for (let i = 0; i < count; i++) {
    await log.append(event(`n${i}`)).then(
      (done) => stored.push(done),
      () => undefined,
    );
  }
  return stored;
}

async function hashes(store: Store, location: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { hash } of streamEvents(store.source(location))) found.push(hash);
  return found;
}

/** What a stranger does to the store of an open log. */
const ACTS: Readonly<Record<string, (file: string, store: Store) => void>> = {
  'renames the file (logrotate)': (file) => renameSync(file, `${file}.1`),
  'removes the file': (file) => rmSync(file),
  'replaces the file by a copy': (file) => {
    copyFileSync(file, `${file}.copy`);
    renameSync(`${file}.copy`, file);
  },
  'truncates the file (copytruncate)': (file) => truncateSync(file, 10),
  'appends to the file': (file) => appendFileSync(file, 'something else\n'),
  'copies the file (backup)': (file) => copyFileSync(file, `${file}.bak`),
  'compresses the file and keeps it': (file) =>
    writeFileSync(`${file}.gz`, gzipSync(readFileSync(file))),
};

describe.each(Object.entries(STORES))('a log in %s', { timeout: 60_000 }, (name, store) => {
  it.each(Object.keys(ACTS))(
    'acknowledges only events that are in the file of its name when a stranger %s',
    async (act) => {
      using directory = temporaryDirectory();
      const location = store.location(directory.path);
      const log = open(store, location);
      expect(await append(log, 5)).toHaveLength(5);
      ACTS[act]?.(store.file(location), store);
      const after = await append(log, 5);
      await log.close().catch(() => undefined);
      const kept = existsSync(store.file(location))
        ? await hashes(store, location).catch((): string[] => [])
        : [];
      expect(after.filter(({ hash }) => !kept.includes(hash))).toEqual([]);
    },
  );

  it.each(['copies the file (backup)', 'compresses the file and keeps it'])(
    'goes on and loses nothing, also after a restart, when a stranger %s',
    async (act) => {
      using directory = temporaryDirectory();
      const location = store.location(directory.path);
      const log = open(store, location);
      await append(log, 5);
      ACTS[act]?.(store.file(location), store);
      const made = existsSync(`${store.file(location)}.gz`) ? '.gz' : '.bak';
      const copy = readFileSync(store.file(location) + made);
      expect(await append(log, 5)).toHaveLength(5);
      await log.close();
      const again = open(store, location);
      expect(await append(again, 1)).toMatchObject([{ sequence: 11 }]);
      await again.close();
      expect(await verifyLog(store.source(location))).toMatchObject({
        problem: undefined,
        events: 11,
      });
      expect(readFileSync(store.file(location) + made).equals(copy)).toBe(true);
    },
  );

  it.each<[string, (location: string) => string]>([
    ['by the same path', (location) => location],
    [
      'through a symbolic link',
      (location) => {
        symlinkSync(location, `${location}-link`);
        return `${location}-link`;
      },
    ],
  ])('has one writer, %s', async (_, other) => {
    using directory = temporaryDirectory();
    const location = store.location(directory.path);
    const log = open(store, location);
    await append(log, 1);
    const second = open(store, other(location));
    await expect(second.ready()).rejects.toMatchObject({ cause: { code: 'AUDIT_LOCKED' } });
    expect(await append(log, 1)).toHaveLength(1);
    await log.close();
    await second.close();
  });

  it('acknowledges no event of a writer that has been superseded', async () => {
    using directory = temporaryDirectory();
    const location = store.location(directory.path);
    const first = open(store, location);
    expect(await append(first, 3)).toHaveLength(3);
    rmSync(name === 'files' ? join(location, 'lock') : `${location}-lock`);
    const second = open(store, location);
    expect(await append(second, 3)).toMatchObject([{ sequence: 4 }, { sequence: 5 }, {}]);
    expect(await append(first, 3)).toEqual([]);
    await first.close().catch(() => undefined);
    await second.close().catch(() => undefined);
    const found = await hashes(store, location);
    expect(found.slice(0, 6)).toHaveLength(6);
  });

  it('makes files that only their owner can read', async () => {
    using directory = temporaryDirectory();
    const location = store.location(directory.path);
    const log = open(store, location);
    await append(log, 1);
    expect(statSync(store.file(location)).mode & 0o077).toBe(0);
    await log.close();
  });
});

describe('a log in SQLite', () => {
  it('is refused when the database has two names, each of which would have a journal', async () => {
    using directory = temporaryDirectory();
    const store = STORES.SQLite;
    const location = store.location(directory.path);
    const first = open(store, location);
    await append(first, 1);
    linkSync(location, `${location}2`);
    await expect(open(store, `${location}2`).ready()).rejects.toMatchObject({
      cause: { code: 'AUDIT_CORRUPT' },
    });
    expect(await append(first, 1)).toHaveLength(1);
    await first.close();
    expect(await hashes(store, location)).toHaveLength(2);
  });

  it.each(['-wal', '-shm'])('acknowledges nothing after its file %s was removed', async (end) => {
    using directory = temporaryDirectory();
    const store = STORES.SQLite;
    const location = store.location(directory.path);
    const log = open(store, location);
    await append(log, 3);
    rmSync(`${location}${end}`);
    const after = await append(log, 3);
    await log.close().catch(() => undefined);
    const kept = await hashes(store, location).catch((): string[] => []);
    expect(after.filter(({ hash }) => !kept.includes(hash))).toEqual([]);
  });
});

describe('a log in files', () => {
  it('leaves files alone that it did not make', async () => {
    using directory = temporaryDirectory();
    const location = join(directory.path, 'log');
    const make = (): AuditLog =>
      auditLog({
        sinks: [fileSink({ directory: location, maxSegmentBytes: 1_024, maxSegments: 2 })],
      });
    const log = make();
    await append(log, 3);
    const names = ['notes.tmp', 'anchor.json.tmp', '00000000000000000001.jsonl.gz.tmp', 'README'];
    for (const name of names) writeFileSync(join(location, name), name);
    await append(log, 20);
    await log.close();
    const again = make();
    await append(again, 20);
    await again.close();
    for (const name of names) expect(readFileSync(join(location, name), 'utf8')).toBe(name);
  });

  it('keeps a segment whose compressed file has other content', async () => {
    using directory = temporaryDirectory();
    const location = join(directory.path, 'log');
    const log = auditLog({ sinks: [fileSink({ directory: location, maxSegmentBytes: 1_024 })] });
    await append(log, 2);
    const first = join(location, '00000000000000000001.jsonl');
    writeFileSync(`${first}.gz`, gzipSync(readFileSync(first)));
    await append(log, 20);
    await log.close();
    const report = await verifyLog(new FileSource(location));
    expect(report).toMatchObject({ problem: undefined, events: 22 });
    expect(existsSync(first)).toBe(true);
  });

  it('keeps an acknowledged event whose newline was cut off', async () => {
    using directory = temporaryDirectory();
    const store = STORES.files;
    const log = open(store, directory.path);
    await append(log, 3);
    await log.close();
    const file = store.file(directory.path);
    truncateSync(file, statSync(file).size - 1);
    const again = open(store, directory.path);
    expect(await append(again, 1)).toMatchObject([{ sequence: 4 }]);
    await again.close();
    expect(await verifyLog(store.source(directory.path))).toMatchObject({ events: 4 });
  });
});

it('begins no new file in the place of one that was renamed just before its rotation', async () => {
  using directory = temporaryDirectory();
  const { path } = directory;
  const log = auditLog({
    sinks: [fileSink({ directory: path, maxSegmentBytes: 1_024, gzip: false })],
  });
  await log.append({ ...event('first'), details: { fill: 'x'.repeat(2_000) } });
  const file = join(path, '00000000000000000001.jsonl');
  renameSync(file, `${file}.1`);
  await expect(log.append(event('second'))).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
  await log.close().catch(() => undefined);
});
