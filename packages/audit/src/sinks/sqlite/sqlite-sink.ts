import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type Clock, systemClock } from '@temper/core';
import {
  clockRule,
  type Defaults,
  nameRule,
  numberRule,
  type Resolved,
  resolveOptions,
} from '@temper/core/policy';
import {
  type ChainHead,
  checkLine,
  EMPTY_HEAD,
  parseLine,
  type SealedEvent,
} from '../../chain/hash-chain.ts';
import { decodeFrontier, encodeFrontier, leafOf } from '../../chain/merkle.ts';
import { AuditCorruptError } from '../../errors.ts';
import { fieldsRule, textRule } from '../../option-rules.ts';
import { openDatabase } from '../node-sqlite.ts';
import type {
  AuditSink,
  AuditSource,
  SinkState,
  SinkWriteResult,
  StoredCheckpoint,
} from '../sink.ts';
import { WriterLock } from '../writer-lock.ts';
import { createSchema, fieldExpression, indexNames } from './sqlite-schema.ts';
import { readAnchor, SqliteSource } from './sqlite-source.ts';

/** Options of {@link sqliteSink}. */
export interface SqliteSinkOptions {
  /** The database file. Created if it does not exist; its directory must exist. */
  readonly path: string;
  /** @defaultValue 'sqlite' */
  readonly name?: string;
  /**
   * Fields with an index, for queries by value. Each index costs time on every write; queries by other
   * fields scan the log.
   *
   * @defaultValue ['timestamp', 'traceId']
   */
  readonly indexes?: readonly SqliteIndex[];
  /**
   * Events older than this are removed, in milliseconds.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless >= 1 (`Infinity` allowed)
   */
  readonly maxAgeMs?: number;
  /**
   * Number of events beyond which the oldest are removed. Removal is done in batches, so the log can
   * exceed the limit by a tenth or by 100 events, whichever is more.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless an integer >= 1 (`Infinity` allowed)
   */
  readonly maxEvents?: number;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

/** A field that {@link sqliteSink} can index. */
type SqliteIndex = (typeof indexNames)[number];

type Defaulted = Defaults<SqliteSinkOptions, 'path'>;
type ResolvedSqliteSinkOptions = Resolved<SqliteSinkOptions, 'path'> & SqliteSinkOptions;

/** The defaults of {@link SqliteSinkOptions}, as the README's table shows them. */
export const SQLITE_SINK_DEFAULTS: Omit<Defaulted, 'clock'> = {
  name: 'sqlite',
  indexes: ['timestamp', 'traceId'],
  maxAgeMs: Number.POSITIVE_INFINITY,
  maxEvents: Number.POSITIVE_INFINITY,
};

const OWNER = 'sqliteSink';
/** Maximum number of events removed per write, to bound its duration. */
const MAX_RETIRED = 10_000;
/** Smallest number of events beyond the limit that is removed. */
const MIN_EXCESS = 100;
/** Interval between checks of `maxAgeMs`, in milliseconds. */
const RETENTION_INTERVAL_MS = 60_000;

/**
 * Creates a sink that stores events in an SQLite database with `node:sqlite`: the default sink.
 *
 * Write-ahead log, `synchronous=FULL`, one transaction per batch. A commit blocks the calling thread
 * for one fdatasync.
 *
 * @throws {TypeError | RangeError} if an option is invalid, see {@link SqliteSinkOptions}
 */
export function sqliteSink(
  options: SqliteSinkOptions,
): AuditSink & { readonly source: AuditSource } {
  const all = resolveOptions<SqliteSinkOptions, 'path'>(
    OWNER,
    options,
    { ...SQLITE_SINK_DEFAULTS, clock: systemClock },
    {
      path: textRule,
      name: nameRule,
      indexes: fieldsRule(indexNames),
      maxAgeMs: numberRule({ min: 1 }),
      maxEvents: numberRule({ min: 1, integer: true }),
      clock: clockRule,
    },
  );
  textRule(OWNER, 'path', all.path);
  return new SqliteSink(all as ResolvedSqliteSinkOptions);
}

class SqliteSink implements AuditSink {
  readonly name: string;
  readonly durable = true;
  readonly source: SqliteSource;
  readonly #options: ResolvedSqliteSinkOptions;
  #lock: WriterLock | undefined;
  #database: DatabaseSync | undefined;
  #insert: StatementSync | undefined;
  #head: ChainHead = EMPTY_HEAD;
  #first = 1;
  #retentionAt = 0;

  constructor(options: ResolvedSqliteSinkOptions) {
    this.name = options.name;
    this.#options = options;
    this.source = new SqliteSource(options.path, options.name);
  }

  async open(): Promise<SinkState> {
    const { path, indexes } = this.#options;
    this.#lock ??= new WriterLock(this.name, path, `${path}-lock`);
    this.#database?.close();
    this.#database = undefined;
    const database = openDatabase(path);
    try {
      database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;');
      createSchema(database, path, this.name, indexes);
      this.#head = this.#readHead(database);
      this.#first = (readAnchor(database)?.sequence ?? 0) + 1;
      this.#insert = database.prepare('INSERT INTO event (sequence, line) VALUES (?, ?)');
      this.#database = database;
    } catch (error) {
      database.close();
      throw error;
    }
    // SQLite syncs the file but not its directory entry.
    const directory = await open(dirname(path), 'r');
    await directory.sync().finally(() => directory.close());
    return { head: this.#head };
  }

  #readHead(database: DatabaseSync): ChainHead {
    const row = database
      .prepare('SELECT sequence, line FROM event ORDER BY sequence DESC LIMIT 1')
      .get() as { sequence: number; line: string } | undefined;
    if (row === undefined) return readAnchor(database) ?? EMPTY_HEAD;
    const checked = checkLine(row.line);
    if (checked.fault !== undefined || checked.event.sequence !== row.sequence) {
      const what = checked.fault === undefined ? 'its sequence was changed' : checked.message;
      throw new AuditCorruptError(this.name, this.#options.path, row.sequence, what);
    }
    return checked.event;
  }

  async write(batch: readonly SealedEvent[]): Promise<SinkWriteResult | undefined> {
    const { database, insert } = this.#opened();
    return inTransaction(database, () => {
      for (const { event, line } of batch) insert.run(event.sequence, line);
      const retired = this.#retire(database, batch);
      return () => {
        this.#head = (batch[batch.length - 1] as SealedEvent).event;
        if (retired !== undefined) this.#first = retired.sequence + 1;
        return retired && { retired };
      };
    });
  }

  /** Removes events beyond `maxEvents` or `maxAgeMs` and stores the anchor. */
  #retire(
    database: DatabaseSync,
    batch: readonly SealedEvent[],
  ): SinkWriteResult['retired'] | undefined {
    const { maxEvents, maxAgeMs, clock } = this.#options;
    const last = (batch[batch.length - 1] as SealedEvent).event.sequence;
    // In batches, because every removal is recorded as an event, which must not cause the next removal.
    const excess = last - this.#first + 1 - maxEvents;
    let to = excess >= Math.max(MIN_EXCESS, maxEvents / 10) ? last - maxEvents : 0;
    if (maxAgeMs !== Number.POSITIVE_INFINITY && clock.monotonic() >= this.#retentionAt) {
      const cutoff = new Date(clock.now() - maxAgeMs).toISOString();
      const young = database
        .prepare(
          `SELECT sequence FROM event WHERE ${fieldExpression('timestamp')} >= ? ORDER BY sequence LIMIT 1`,
        )
        .get(cutoff) as { sequence: number } | undefined;
      const old = Math.min((young?.sequence ?? last) - 1, this.#first + MAX_RETIRED - 1);
      // Check again with the next write if this one could not remove all old events.
      if (old < this.#first + MAX_RETIRED - 1) {
        this.#retentionAt = clock.monotonic() + RETENTION_INTERVAL_MS;
      }
      to = Math.max(to, old);
    }
    to = Math.min(to, this.#first + MAX_RETIRED - 1);
    if (to < this.#first) return undefined;
    return { ...this.#remove(database, to), from: this.#first };
  }

  #remove(database: DatabaseSync, to: number): ChainHead {
    const anchor = readAnchor(database);
    const frontier = decodeFrontier(anchor?.sequence ?? 0, anchor?.frontier ?? []);
    let head: ChainHead = anchor ?? EMPTY_HEAD;
    const rows = database.prepare('SELECT line FROM event WHERE sequence <= ? ORDER BY sequence');
    for (const { line } of rows.iterate(to) as IterableIterator<{ line: string }>) {
      const { sequence, hash } = parseLine(line);
      frontier.append(leafOf(hash));
      head = { sequence, hash };
    }
    const nodes = JSON.stringify(encodeFrontier(frontier));
    database
      .prepare('INSERT OR REPLACE INTO anchor (one, sequence, hash, frontier) VALUES (1, ?, ?, ?)')
      .run(head.sequence, head.hash, nodes);
    database.prepare('DELETE FROM event WHERE sequence <= ?').run(to);
    database.prepare('DELETE FROM checkpoint WHERE size < ?').run(to);
    return head;
  }

  async saveCheckpoint({ note, size, frontier }: StoredCheckpoint): Promise<void> {
    const { database } = this.#opened();
    database
      .prepare('INSERT OR REPLACE INTO checkpoint (size, note, frontier) VALUES (?, ?, ?)')
      .run(size, note, JSON.stringify(frontier));
  }

  #opened(): { readonly database: DatabaseSync; readonly insert: StatementSync } {
    if (this.#database === undefined || this.#insert === undefined) {
      throw new TypeError(`Sink '${this.name}' is not open.`);
    }
    return { database: this.#database, insert: this.#insert };
  }

  async close(): Promise<void> {
    this.source.close();
    this.#database?.close();
    this.#database = undefined;
    this.#lock?.release();
    this.#lock = undefined;
  }
}

/** Runs `work` in a transaction, and the function it returns after the commit. */
function inTransaction<T>(database: DatabaseSync, work: () => () => T): T {
  database.exec('BEGIN IMMEDIATE');
  let after: () => T;
  try {
    after = work();
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
  return after();
}
