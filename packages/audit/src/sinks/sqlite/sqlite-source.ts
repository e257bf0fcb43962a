import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import { lineSequence } from '../../chain/line-fields.ts';
import { AuditCorruptError } from '../../errors.ts';
import { KeyCheck, type KeyedLine } from '../key-check.ts';
import { openDatabase } from '../node-sqlite.ts';
import type { Anchor, AuditSource, LineFilter, ReadRange, StoredCheckpoint } from '../sink.ts';
import { fieldExpression } from './sqlite-schema.ts';

/**
 * Rows scanned per statement. A statement blocks the thread, so a scan is split to let other work run
 * in between.
 */
const WINDOW = 10_000;
/** Lines per batch. */
const READ_LINES = 1_000;

/** Reads a log of {@link sqliteSink}, also while it is being written. */
export class SqliteSource implements AuditSource {
  readonly name: string;
  readonly #path: string;
  #database: DatabaseSync | undefined;

  constructor(path: string, name: string = path) {
    this.name = name;
    this.#path = path;
  }

  get #opened(): DatabaseSync {
    if (this.#database === undefined) {
      const database = openDatabase(this.#path, { readOnly: true });
      database.exec('PRAGMA busy_timeout=5000; PRAGMA cache_size=-8192;');
      this.#database = database;
    }
    return this.#database;
  }

  async *read(range: ReadRange): AsyncGenerator<readonly string[], void, undefined> {
    const bounds = this.#bounds(range);
    if (bounds === undefined) return;
    const { where, parameters } = conditions(range.filter);
    const order = range.reverse === true ? 'DESC' : 'ASC';
    const index = this.#indexFor(range.filter);
    // Without INDEXED BY the planner prefers a scan by sequence.
    const by = index === undefined ? '' : ` INDEXED BY "${index}"`;
    // Rows are fetched in batches, so that no statement stays open while the reader does other work.
    const sql = `SELECT sequence AS key, line FROM event${by} WHERE sequence BETWEEN ? AND ?${where} ORDER BY sequence ${order} LIMIT ${READ_LINES}`;
    const check = new KeyCheck(order === 'DESC');
    let { low, high } = bounds;
    while (low <= high) {
      const whole = where === '' || index !== undefined;
      const [from, to] = whole ? [low, high] : this.#window(low, high, order);
      const rows = this.#opened
        .prepare(sql)
        .all(from, to, ...parameters) as unknown as readonly KeyedLine[];
      const last = rows.length < READ_LINES ? undefined : rows[rows.length - 1]?.key;
      if (order === 'ASC') low = (last ?? to) + 1;
      else high = (last ?? from) - 1;
      const valid = check.validCount(rows);
      if (valid > 0) yield rows.slice(0, valid).map(({ line }) => line);
      if (valid < rows.length) throw this.#misfiled(rows[valid] as KeyedLine);
      await setImmediate();
    }
  }

  /** An index for one of the conditions by value, if there is one. */
  #indexFor(filter: LineFilter | undefined): string | undefined {
    const wanted = [...(filter?.equals.keys() ?? [])].map((field) => `event_${field}`);
    if (wanted.length === 0) return undefined;
    const rows = this.#opened
      .prepare(`SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'event'`)
      .all() as { name: string }[];
    return wanted.find((name) => rows.some((row) => row.name === name));
  }

  #misfiled({ key, line }: KeyedLine): AuditCorruptError {
    const what = `it is stored under another sequence, ${key}`;
    return new AuditCorruptError(this.name, this.#path, lineSequence(line), what);
  }

  /** The next part of a range, counted in rows, because the sequences may have been modified. */
  #window(low: number, high: number, order: 'ASC' | 'DESC'): readonly [number, number] {
    const edge = this.#opened
      .prepare(
        `SELECT sequence FROM event WHERE sequence BETWEEN ? AND ? ORDER BY sequence ${order} LIMIT 1 OFFSET ${WINDOW - 1}`,
      )
      .get(low, high) as { sequence: number } | undefined;
    if (edge === undefined) return [low, high];
    return order === 'ASC' ? [low, edge.sequence] : [edge.sequence, high];
  }

  #bounds({
    from = 0,
    to = Number.MAX_SAFE_INTEGER,
  }: ReadRange): { low: number; high: number } | undefined {
    // As text, because the driver rejects integers beyond the safe range.
    const found = this.#opened
      .prepare(
        'SELECT CAST(min(sequence) AS TEXT) AS low, CAST(max(sequence) AS TEXT) AS high FROM event',
      )
      .get() as { low: string | null; high: string | null };
    if (found.low === null || found.high === null) return undefined;
    const [low, high] = [Number(found.low), Number(found.high)];
    if (!Number.isSafeInteger(high) || low < 1) {
      const what = `events are stored under sequences ${low} to ${high}`;
      throw new AuditCorruptError(this.name, this.#path, undefined, what);
    }
    return { low: Math.max(low, from), high: Math.min(high, to) };
  }

  async anchor(): Promise<Anchor | undefined> {
    return readAnchor(this.#opened);
  }

  async checkpoints(): Promise<readonly StoredCheckpoint[]> {
    const rows = this.#opened
      .prepare('SELECT size, note, frontier FROM checkpoint ORDER BY size')
      .all() as { size: number; note: string; frontier: string }[];
    return rows.map(({ size, note, frontier }) => ({ size, note, frontier: JSON.parse(frontier) }));
  }

  close(): void {
    this.#database?.close();
    this.#database = undefined;
  }
}

/** The last event removed by retention; undefined if none was removed. */
export function readAnchor(
  database: DatabaseSync,
): (Anchor & { frontier: readonly string[] }) | undefined {
  const row = database.prepare('SELECT sequence, hash, frontier FROM anchor').get() as
    | { sequence: number; hash: string; frontier: string }
    | undefined;
  return row && { sequence: row.sequence, hash: row.hash, frontier: JSON.parse(row.frontier) };
}

function conditions(filter: LineFilter | undefined): {
  readonly where: string;
  readonly parameters: readonly SQLInputValue[];
} {
  const clauses: string[] = [];
  const parameters: SQLInputValue[] = [];
  for (const [field, values] of filter?.equals ?? []) {
    clauses.push(`${fieldExpression(field)} IN (${values.map(() => '?').join(', ')})`);
    parameters.push(...values);
  }
  if (filter?.since !== undefined) {
    clauses.push(`${fieldExpression('timestamp')} >= ?`);
    parameters.push(filter.since);
  }
  if (filter?.until !== undefined) {
    clauses.push(`${fieldExpression('timestamp')} < ?`);
    parameters.push(filter.until);
  }
  return { where: clauses.map((clause) => ` AND ${clause}`).join(''), parameters };
}
