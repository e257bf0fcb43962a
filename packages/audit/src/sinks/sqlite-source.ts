import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import type { Anchor, AuditSource, LineFilter, ReadRange, StoredCheckpoint } from '../sink.ts';
import { openDatabase } from './node-sqlite.ts';

/**
 * Rows looked through at a time. A statement runs on this thread from beginning to end, so a
 * query is cut into parts, between which everything else has its turn.
 */
const WINDOW = 10_000;
/** Lines delivered at a time. */
const READ_LINES = 1_000;

/** Reads a log that {@link sqliteSink} keeps, while it is being written or not. */
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
    // Rows are taken a few at a time: no statement stays open while the reader does other things.
    const sql = `SELECT sequence, line FROM event WHERE sequence BETWEEN ? AND ?${where} ORDER BY sequence ${order} LIMIT ${READ_LINES}`;
    let { low, high } = bounds;
    while (low <= high) {
      const [from, to] = where === '' ? [low, high] : this.#window(low, high, order);
      const rows = this.#opened.prepare(sql).all(from, to, ...parameters) as {
        sequence: number;
        line: string;
      }[];
      const last = rows.length < READ_LINES ? undefined : rows[rows.length - 1]?.sequence;
      if (order === 'ASC') low = (last ?? to) + 1;
      else high = (last ?? from) - 1;
      if (rows.length > 0) yield rows.map(({ line }) => line);
      await setImmediate();
    }
  }

  /** The next part of a range to look through, counted in rows: sequences may have been tampered with. */
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
    const { low, high } = this.#opened
      .prepare('SELECT min(sequence) AS low, max(sequence) AS high FROM event')
      .get() as { low: number | null; high: number | null };
    if (low === null || high === null) return undefined;
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

/** Where the log begins, when retention has removed events. */
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
    clauses.push(`"${field}" IN (${values.map(() => '?').join(', ')})`);
    parameters.push(...values);
  }
  if (filter?.since !== undefined) {
    clauses.push('"timestamp" >= ?');
    parameters.push(filter.since);
  }
  if (filter?.until !== undefined) {
    clauses.push('"timestamp" < ?');
    parameters.push(filter.until);
  }
  return { where: clauses.map((clause) => ` AND ${clause}`).join(''), parameters };
}
