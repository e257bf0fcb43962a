import { type Clock, systemClock } from '@temper/core';
import {
  checkType,
  clockRule,
  type Defaults,
  methodsRule,
  nameRule,
  numberRule,
  type Resolved,
  resolveOptions,
} from '@temper/core/policy';
import { type ChainHead, checkLine, EMPTY_HEAD, type SealedEvent } from '../../chain/hash-chain.ts';
import { AuditCorruptError, AuditLockedError } from '../../errors.ts';
import { fieldsRule, textRule } from '../../option-rules.ts';
import type {
  AuditSink,
  AuditSource,
  IndexedField,
  Retirable,
  SinkState,
  StoredCheckpoint,
} from '../sink.ts';
import type { PostgresClient, PostgresPool } from './postgres-client.ts';
import { type RetiringWriter, retirableEvents, retireEvents } from './postgres-retention.ts';
import {
  createPartition,
  createTables,
  dayOf,
  indexNames,
  type PostgresTables,
  tablesIn,
} from './postgres-schema.ts';
import { PostgresSource } from './postgres-source.ts';

/** Options of {@link postgresSink}. */
export interface PostgresSinkOptions {
  /** A pool of `pg`. The sink reserves one connection. */
  readonly pool: PostgresPool;
  /**
   * Name of the chain. Every writing process needs a unique name that is stable across restarts, such
   * as the name of its pod in a stateful set.
   */
  readonly writer: string;
  /** @defaultValue 'postgres' */
  readonly name?: string;
  /** Schema of the tables, created if it does not exist. @defaultValue 'public' */
  readonly schema?: string;
  /** Fields with an index, for queries by value. @defaultValue ['traceId'] */
  readonly indexes?: readonly IndexedField[];
  /**
   * Days that ended longer ago than this are removed from the chain of this writer, in milliseconds. A
   * day is dropped when no writer has an event of it.
   *
   * @defaultValue Infinity
   * @throws {RangeError} at construction, unless >= 86_400_000
   */
  readonly maxAgeMs?: number;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

type Unset = 'pool' | 'writer';
type ResolvedPostgresSinkOptions = Resolved<PostgresSinkOptions, Unset> & PostgresSinkOptions;

/** The defaults of {@link PostgresSinkOptions}, as the README's table shows them. */
export const POSTGRES_SINK_DEFAULTS: Omit<Defaults<PostgresSinkOptions, Unset>, 'clock'> = {
  name: 'postgres',
  schema: 'public',
  indexes: ['traceId'],
  maxAgeMs: Number.POSITIVE_INFINITY,
};

const OWNER = 'postgresSink';
/** Interval between checks of `maxAgeMs`, in milliseconds. */
const RETENTION_INTERVAL_MS = 3_600_000;
/** Maximum number of days in the cache of existing partitions. */
const MAX_KNOWN_DAYS = 100;

/**
 * Creates a sink that stores events in PostgreSQL: one chain per writer, in tables partitioned by day.
 *
 * A batch is one statement: one transaction and one round trip. The statement compares and updates the
 * head of the writer, so a superseded writer stores nothing.
 *
 * @throws {TypeError | RangeError} if an option is invalid, see {@link PostgresSinkOptions}
 */
export function postgresSink(
  options: PostgresSinkOptions,
): AuditSink & { readonly source: AuditSource } {
  const all = resolveOptions<PostgresSinkOptions, Unset>(
    OWNER,
    options,
    { ...POSTGRES_SINK_DEFAULTS, clock: systemClock },
    {
      pool: methodsRule('connect', 'query'),
      writer: textRule,
      name: nameRule,
      schema: textRule,
      indexes: fieldsRule(indexNames),
      maxAgeMs: numberRule({ min: 86_400_000 }),
      clock: clockRule,
    },
  );
  checkType(OWNER, 'pool', all.pool, 'object');
  textRule(OWNER, 'writer', all.writer);
  return new PostgresSink(all as ResolvedPostgresSinkOptions);
}

class PostgresSink implements AuditSink {
  readonly name: string;
  readonly durable = true;
  readonly source: PostgresSource;
  readonly #options: ResolvedPostgresSinkOptions;
  readonly #tables: PostgresTables;
  #client: PostgresClient | undefined;
  #head: ChainHead = EMPTY_HEAD;
  readonly #days: Set<string> = new Set();
  #retentionAt = 0;

  constructor(options: ResolvedPostgresSinkOptions) {
    this.name = options.name;
    this.#options = options;
    this.#tables = tablesIn(options.schema);
    this.source = new PostgresSource(options.pool, options.writer, options.schema, options.name);
  }

  async open(): Promise<SinkState> {
    this.#release();
    const { pool, schema, indexes } = this.#options;
    const client = await pool.connect();
    // Without a listener, an error of an idle connection would end the process.
    client.on('error', () => undefined);
    try {
      // An acknowledged commit must be on disk, regardless of the default of the server.
      await client.query('SET synchronous_commit = on');
      await createTables(client, schema, indexes);
      await this.#lock(client);
      this.#head = await this.#readHead(client);
    } catch (error) {
      client.release(true);
      throw error;
    }
    this.#client = client;
    return { head: this.#head };
  }

  /** Takes an advisory lock, which is released with the session. */
  async #lock(client: PostgresClient): Promise<void> {
    const { writer, schema } = this.#options;
    const { rows } = await client.query(
      `SELECT pg_try_advisory_lock(hashtextextended($1, 0)) AS locked`,
      [`temper audit ${schema} ${writer}`],
    );
    if ((rows[0] as { locked: boolean }).locked) return;
    throw new AuditLockedError(this.name, `of writer '${writer}'`);
  }

  async #readHead(client: PostgresClient): Promise<ChainHead> {
    const { writer } = this.#options;
    const { event, head } = this.#tables;
    await client.query(
      `INSERT INTO ${head} (writer, sequence, hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
      [writer, EMPTY_HEAD.sequence, EMPTY_HEAD.hash],
    );
    const { rows } = await client.query(
      `SELECT head.sequence, head.hash, last.sequence AS key, last.line FROM ${head} head
         LEFT JOIN LATERAL (SELECT sequence, line FROM ${event} WHERE writer = head.writer
           ORDER BY sequence DESC LIMIT 1) last ON true
        WHERE head.writer = $1`,
      [writer],
    );
    const row = rows[0] as {
      sequence: string;
      hash: string;
      key: string | null;
      line: string | null;
    };
    const stored = Number(row.sequence);
    const checked = row.line === null ? undefined : checkLine(row.line);
    if (checked?.fault !== undefined) throw this.#corrupt(Number(row.key), checked.message);
    const last = checked?.event ?? (await this.source.anchor()) ?? EMPTY_HEAD;
    if (last.sequence !== stored || last.hash !== row.hash) {
      throw this.#corrupt(
        Math.min(last.sequence, stored) + 1,
        `its head is ${stored}, but its last event is ${last.sequence}`,
      );
    }
    return last;
  }

  #corrupt(sequence: number, what: string): AuditCorruptError {
    return new AuditCorruptError(this.name, `of writer '${this.#options.writer}'`, sequence, what);
  }

  async write(batch: readonly SealedEvent[]): Promise<void> {
    const client = this.#client;
    if (client === undefined) throw new TypeError(`Sink '${this.name}' is not open.`);
    await this.#preparePartitions(client, batch);
    const { writer } = this.#options;
    const { event, head } = this.#tables;
    const { sequence, hash, log } = (batch[batch.length - 1] as SealedEvent).event;
    const { rowCount } = await client.query(
      `WITH moved AS (UPDATE ${head} SET sequence = $2, hash = $3
         WHERE writer = $1 AND sequence = $4 AND hash = $5 RETURNING writer)
       INSERT INTO ${event} (writer, sequence, at, line)
       SELECT moved.writer, new.sequence, new.at, new.line FROM moved,
         unnest($6::bigint[], $7::timestamptz[], $8::text[]) AS new (sequence, at, line)`,
      [
        writer,
        sequence,
        hash,
        this.#head.sequence,
        this.#head.hash,
        batch.map((sealed) => sealed.event.sequence),
        batch.map((sealed) => sealed.event.timestamp),
        batch.map((sealed) => sealed.line),
      ],
    );
    if (rowCount !== batch.length) {
      throw new AuditLockedError(this.name, `of writer '${writer}'`);
    }
    this.#head = { sequence, hash, log };
  }

  async #preparePartitions(client: PostgresClient, batch: readonly SealedEvent[]): Promise<void> {
    for (const { event } of batch) {
      const day = dayOf(event.timestamp);
      if (this.#days.has(day)) continue;
      await createPartition(client, this.#options.schema, day);
      if (this.#days.size >= MAX_KNOWN_DAYS) this.#days.clear();
      this.#days.add(day);
    }
  }

  async retirable({ byAge = true } = {}): Promise<Retirable | undefined> {
    if (!byAge) return undefined;
    const { clock, maxAgeMs, pool } = this.#options;
    if (maxAgeMs === Number.POSITIVE_INFINITY || clock.monotonic() < this.#retentionAt) return;
    const found = await retirableEvents(pool, this.#retiring, this.#cutoff);
    // Asked again with the next write until the events are removed.
    if (found === undefined) this.#retentionAt = clock.monotonic() + RETENTION_INTERVAL_MS;
    return found;
  }

  async retire(last: ChainHead): Promise<void> {
    await retireEvents(this.#options.pool, this.#retiring, last, this.#cutoff);
    this.#days.clear();
  }

  get #cutoff(): Date {
    const { clock, maxAgeMs } = this.#options;
    return new Date(clock.now() - maxAgeMs);
  }

  get #retiring(): RetiringWriter {
    const { schema, writer } = this.#options;
    return { sink: this.name, schema, writer };
  }

  async saveCheckpoint({ note, size, frontier }: StoredCheckpoint): Promise<void> {
    await this.#options.pool.query(
      `INSERT INTO ${this.#tables.checkpoint} (writer, size, note, frontier) VALUES ($1, $2, $3, $4)
       ON CONFLICT DO NOTHING`,
      [this.#options.writer, size, note, JSON.stringify(frontier)],
    );
  }

  #release(): void {
    // Destroyed and not returned to the pool, because the lock belongs to the session.
    this.#client?.release(true);
    this.#client = undefined;
    this.#days.clear();
  }

  async close(): Promise<void> {
    this.#release();
  }
}
