import { randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';
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
import { AuditCorruptError, AuditLockedError } from '../../errors.ts';
import { fieldsRule, textRule } from '../../option-rules.ts';
import { createPrivate, realPathOf } from '../real-path.ts';
import type { AuditSink, AuditSource, Retirable, SinkState, StoredCheckpoint } from '../sink.ts';
import { WriterLock } from '../writer-lock.ts';
import { createSchema, fieldExpression, indexNames } from './sqlite-schema.ts';
import { readAnchor, SqliteSource } from './sqlite-source.ts';
import { FILES_CHANGED, GUARD_FAILED, SqliteThread } from './sqlite-thread.ts';
import type { SqlGuard, SqlStep } from './sqlite-thread-program.ts';

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
 * Write-ahead log, `synchronous=FULL`, one transaction per batch. The database is in a thread of its
 * own, so neither a commit nor a query blocks the event loop; events that arrive during a commit are
 * stored by the next one.
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

const SETUP = 'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;';
const INSERT = 'INSERT INTO event (sequence, line) VALUES (?, ?)';
/** Whose database it is, and its last event: no other program may have changed either. */
const STATE = `SELECT (SELECT token FROM writer),
  coalesce((SELECT max(sequence) FROM event), (SELECT sequence FROM anchor), 0)`;
/** Lines per query of retention. */
const READ_LINES = 1_000;

/** The open database. */
interface Opened {
  readonly thread: SqliteThread;
  readonly lock: WriterLock;
  readonly token: string;
}

class SqliteSink implements AuditSink {
  readonly name: string;
  readonly durable = true;
  readonly source: SqliteSource;
  readonly #options: ResolvedSqliteSinkOptions;
  #opened: Opened | undefined;
  #head: ChainHead = EMPTY_HEAD;
  #first = 1;
  #retentionAt = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(options: ResolvedSqliteSinkOptions) {
    this.name = options.name;
    this.#options = options;
    this.source = new SqliteSource(options.path, options.name);
  }

  async open(): Promise<SinkState> {
    await this.#release();
    const path = await realPathOf(this.#options.path);
    if (this.#head.sequence > 0 && !existsSync(path)) {
      throw new AuditCorruptError(this.name, path, 1, 'the database was removed or renamed');
    }
    // SQLite names the write-ahead log by the path, so a second name would have a second one.
    if ((statSync(path, { throwIfNoEntry: false })?.nlink ?? 1) > 1) {
      const what = 'the database has several names (hard links); remove all but one';
      throw new AuditCorruptError(this.name, path, undefined, what);
    }
    await createPrivate(`${path}-lock`);
    const lock = new WriterLock(this.name, this.#options.path, `${path}-lock`);
    await createPrivate(path);
    const thread = new SqliteThread();
    try {
      await thread.open(path, false, SETUP);
      await createSchema(thread, path, this.name, this.#options.indexes);
      const token = randomUUID();
      const claim = 'INSERT OR REPLACE INTO writer (one, token) VALUES (1, ?)';
      await thread.transact([{ sql: claim, rows: [[token]] }]);
      this.#head = await this.#readHead(thread);
      this.#first = ((await readAnchor(thread))?.sequence ?? 0) + 1;
      // SQLite syncs the file but not its directory entry.
      const directory = await open(dirname(path), 'r');
      await directory.sync().finally(() => directory.close());
      this.#opened = { thread, lock, token };
    } catch (error) {
      await thread.close();
      lock.release();
      throw error;
    }
    return { head: this.#head };
  }

  async #readHead(thread: SqliteThread): Promise<ChainHead> {
    const [row] = (await thread.all(
      'SELECT sequence, line FROM event ORDER BY sequence DESC LIMIT 1',
    )) as readonly { sequence: number; line: string }[];
    if (row === undefined) return (await readAnchor(thread)) ?? EMPTY_HEAD;
    const checked = checkLine(row.line);
    if (checked.fault !== undefined || checked.event.sequence !== row.sequence) {
      const what = checked.fault === undefined ? 'its sequence was changed' : checked.message;
      throw new AuditCorruptError(this.name, this.#options.path, row.sequence, what);
    }
    return checked.event;
  }

  async write(batch: readonly SealedEvent[]): Promise<void> {
    const rows = batch.map(({ event, line }) => [event.sequence, line] as const);
    await this.#alone(async () => {
      await this.#transact([{ sql: INSERT, rows }]);
      this.#head = (batch[batch.length - 1] as SealedEvent).event;
    });
  }

  /** Runs a write or a removal after the other has ended, because both depend on the head. */
  #alone(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #transact(steps: readonly SqlStep[]): Promise<void> {
    const { thread, token } = this.#open();
    const guard: SqlGuard = { sql: STATE, expect: [token, this.#head.sequence] };
    try {
      await thread.transact(steps, guard);
    } catch (error) {
      const { path } = this.#options;
      const { code, message } = error as Error & { readonly code?: string };
      if (code === GUARD_FAILED) throw new AuditLockedError(this.name, path, error);
      if (code === FILES_CHANGED) {
        throw new AuditCorruptError(this.name, path, this.#head.sequence + 1, message);
      }
      throw error;
    }
  }

  async retirable({ byAge = true } = {}): Promise<Retirable | undefined> {
    const to = await this.#lastRetirable(byAge);
    if (to === undefined) return undefined;
    const [row] = (await this.#open().thread.all(
      'SELECT line FROM event WHERE sequence = ?',
      to,
    )) as readonly { line: string }[];
    if (row === undefined) return undefined;
    const { sequence, hash, log } = parseLine(row.line);
    return { from: this.#first, sequence, hash, log };
  }

  /** Sequence of the last event beyond `maxEvents` or `maxAgeMs`; undefined if there is none. */
  async #lastRetirable(byAge: boolean): Promise<number | undefined> {
    const { maxEvents, maxAgeMs, clock } = this.#options;
    const last = this.#head.sequence;
    // In batches, because every removal is recorded as an event, which must not cause the next removal.
    const excess = last - this.#first + 1 - maxEvents;
    let to = excess >= Math.max(MIN_EXCESS, maxEvents / 10) ? last - maxEvents : 0;
    if (byAge && maxAgeMs !== Number.POSITIVE_INFINITY && clock.monotonic() >= this.#retentionAt) {
      const cutoff = new Date(clock.now() - maxAgeMs).toISOString();
      const [young] = (await this.#open().thread.all(
        `SELECT sequence FROM event WHERE ${fieldExpression('timestamp')} >= ? ORDER BY sequence LIMIT 1`,
        cutoff,
      )) as readonly { sequence: number }[];
      const old = Math.min((young?.sequence ?? last) - 1, this.#first + MAX_RETIRED - 1);
      // Checked again with the next write until all old events are removed.
      if (old < this.#first) this.#retentionAt = clock.monotonic() + RETENTION_INTERVAL_MS;
      to = Math.max(to, old);
    }
    to = Math.min(to, this.#first + MAX_RETIRED - 1);
    return to < this.#first ? undefined : to;
  }

  async retire({ sequence: to, hash: last }: ChainHead): Promise<void> {
    const { thread } = this.#open();
    const anchor = await readAnchor(thread);
    const frontier = decodeFrontier(anchor?.sequence ?? 0, anchor?.frontier ?? []);
    let head: ChainHead = anchor ?? EMPTY_HEAD;
    while (head.sequence < to) {
      const rows = (await thread.all(
        `SELECT line FROM event WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ${READ_LINES}`,
        head.sequence,
        to,
      )) as readonly { line: string }[];
      for (const { line } of rows) {
        const { sequence, hash, log } = parseLine(line);
        frontier.append(leafOf(hash));
        head = { sequence, hash, log };
      }
      if (rows.length === 0) {
        throw new AuditCorruptError(
          this.name,
          this.#options.path,
          head.sequence + 1,
          'it is missing',
        );
      }
    }
    if (head.hash !== last) {
      throw new AuditCorruptError(this.name, this.#options.path, to, 'it is another event');
    }
    const nodes = JSON.stringify(encodeFrontier(frontier));
    const steps: readonly SqlStep[] = [
      {
        sql: 'INSERT OR REPLACE INTO anchor (one, sequence, hash, log, frontier) VALUES (1, ?, ?, ?, ?)',
        rows: [[head.sequence, head.hash, head.log, nodes]],
      },
      { sql: 'DELETE FROM event WHERE sequence <= ?', rows: [[to]] },
      { sql: 'DELETE FROM checkpoint WHERE size < ?', rows: [[to]] },
    ];
    await this.#alone(async () => {
      await this.#transact(steps);
      this.#first = to + 1;
    });
  }

  async saveCheckpoint({ note, size, frontier }: StoredCheckpoint): Promise<void> {
    // Without the guard: a batch may be on its way.
    await this.#open().thread.transact([
      {
        sql: 'INSERT OR REPLACE INTO checkpoint (size, note, frontier) VALUES (?, ?, ?)',
        rows: [[size, note, JSON.stringify(frontier)]],
      },
    ]);
  }

  #open(): Opened {
    if (this.#opened === undefined) throw new TypeError(`Sink '${this.name}' is not open.`);
    return this.#opened;
  }

  async #release(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.thread.close();
    opened?.lock.release();
  }

  async close(): Promise<void> {
    await this.source.close();
    await this.#release();
  }
}
