import { lineSequence } from '../../chain/line-fields.ts';
import { AuditCorruptError } from '../../errors.ts';
import { KeyCheck, type KeyedLine } from '../key-check.ts';
import type { Anchor, AuditSource, LineFilter, ReadRange, StoredCheckpoint } from '../sink.ts';
import { storedAnchor, storedCheckpoint, storedJson } from '../stored-state.ts';
import { fieldExpression } from './sqlite-schema.ts';
import { SqliteThread } from './sqlite-thread.ts';
import type { SqlValue } from './sqlite-thread-program.ts';

/** Rows scanned per statement, so that a reader can stop in between. */
const WINDOW = 10_000;
/** Lines per batch. */
const READ_LINES = 1_000;

/** Primary result codes of SQLite. */
const [SQLITE_CORRUPT, SQLITE_NOTADB] = [11, 26];

/** Also reads the schema, so that a file that cannot be read is found out here. */
const SETUP =
  'PRAGMA busy_timeout=5000; PRAGMA cache_size=-8192; SELECT count(*) FROM sqlite_schema;';

/** Reads a log of {@link sqliteSink}, also while it is being written. Queries run in a thread. */
export class SqliteSource implements AuditSource {
  readonly name: string;
  readonly #path: string;
  #opening: Promise<SqliteThread> | undefined;

  constructor(path: string, name: string = path) {
    this.name = name;
    this.#path = path;
  }

  #opened(): Promise<SqliteThread> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  async #open(): Promise<SqliteThread> {
    const thread = new SqliteThread();
    try {
      await thread.open(this.#path, true, SETUP);
      return thread;
    } catch (error) {
      this.#opening = undefined;
      await thread.close();
      throw error;
    }
  }

  async #all(sql: string, ...parameters: readonly SqlValue[]): Promise<readonly unknown[]> {
    try {
      return await (await this.#opened()).all(sql, ...parameters);
    } catch (error) {
      throw damaged(error) ? this.#corrupt((error as Error).message) : error;
    }
  }

  #corrupt(what: string): AuditCorruptError {
    return new AuditCorruptError(this.name, this.#path, undefined, what);
  }

  async *read(range: ReadRange): AsyncGenerator<readonly string[], void, undefined> {
    const bounds = await this.#bounds(range);
    if (bounds === undefined) return;
    const { where, parameters } = conditions(range.filter);
    const order = range.reverse === true ? 'DESC' : 'ASC';
    const index = await this.#indexFor(range.filter);
    // Without INDEXED BY the planner prefers a scan by sequence.
    const by = index === undefined ? '' : ` INDEXED BY "${index}"`;
    // Rows are fetched in batches, so that no statement stays open while the reader does other work.
    const sql = `SELECT sequence AS key, line FROM event${by} WHERE sequence BETWEEN ? AND ?${where} ORDER BY sequence ${order} LIMIT ${READ_LINES}`;
    const check = new KeyCheck(order === 'DESC');
    let { low, high } = bounds;
    while (low <= high) {
      const whole = where === '' || index !== undefined;
      const [from, to] = whole ? [low, high] : await this.#window(low, high, order);
      const rows = (await this.#all(sql, from, to, ...parameters)) as readonly KeyedLine[];
      const last = rows.length < READ_LINES ? undefined : rows[rows.length - 1]?.key;
      if (order === 'ASC') low = (last ?? to) + 1;
      else high = (last ?? from) - 1;
      const valid = check.validCount(rows);
      if (valid > 0) yield rows.slice(0, valid).map(({ line }) => line);
      if (valid < rows.length) throw this.#misfiled(rows[valid] as KeyedLine);
    }
  }

  /** An index for one of the conditions by value, if there is one. */
  async #indexFor(filter: LineFilter | undefined): Promise<string | undefined> {
    const wanted = [...(filter?.equals.keys() ?? [])].map((field) => `event_${field}`);
    if (wanted.length === 0) return undefined;
    const rows = (await this.#all(
      `SELECT name FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'event'`,
    )) as readonly { name: string }[];
    return wanted.find((name) => rows.some((row) => row.name === name));
  }

  #misfiled({ key, line }: KeyedLine): AuditCorruptError {
    const what = `it is stored under another sequence, ${key}`;
    return new AuditCorruptError(this.name, this.#path, lineSequence(line), what);
  }

  /** The next part of a range, counted in rows, because the sequences may have been modified. */
  async #window(
    low: number,
    high: number,
    order: 'ASC' | 'DESC',
  ): Promise<readonly [number, number]> {
    const [edge] = (await this.#all(
      `SELECT sequence FROM event WHERE sequence BETWEEN ? AND ? ORDER BY sequence ${order} LIMIT 1 OFFSET ${WINDOW - 1}`,
      low,
      high,
    )) as readonly { sequence: number }[];
    if (edge === undefined) return [low, high];
    return order === 'ASC' ? [low, edge.sequence] : [edge.sequence, high];
  }

  async #bounds({
    from = 0,
    to = Number.MAX_SAFE_INTEGER,
  }: ReadRange): Promise<{ low: number; high: number } | undefined> {
    // As text, because the driver rejects integers beyond the safe range.
    const [found] = (await this.#all(
      'SELECT CAST(min(sequence) AS TEXT) AS low, CAST(max(sequence) AS TEXT) AS high FROM event',
    )) as readonly { low: string | null; high: string | null }[];
    if (found === undefined || found.low === null || found.high === null) return undefined;
    const [low, high] = [Number(found.low), Number(found.high)];
    if (!Number.isSafeInteger(high) || low < 1) {
      const what = `events are stored under sequences ${low} to ${high}`;
      throw new AuditCorruptError(this.name, this.#path, undefined, what);
    }
    return { low: Math.max(low, from), high: Math.min(high, to) };
  }

  async anchor(): Promise<Anchor | undefined> {
    const [row] = await this.#all('SELECT * FROM anchor');
    if (row === undefined) return undefined;
    const { frontier } = row as { frontier: string };
    return storedAnchor(this.name, this.#path, {
      ...(row as object),
      frontier: storedJson(this.name, this.#path, frontier),
    });
  }

  async checkpoints(): Promise<readonly StoredCheckpoint[]> {
    const rows = (await this.#all(
      'SELECT size, note, frontier FROM checkpoint ORDER BY size',
    )) as readonly { size: number; note: string; frontier: string }[];
    return rows.map(({ size, note, frontier }) => {
      const nodes = storedJson(this.name, this.#path, frontier);
      const checkpoint = storedCheckpoint({ size, note, frontier: nodes });
      if (checkpoint === undefined) throw this.#corrupt(`its checkpoint ${size} is malformed`);
      return checkpoint;
    });
  }

  /** Ends the thread, if one was started. A later read starts another. */
  async close(): Promise<void> {
    const opening = this.#opening;
    this.#opening = undefined;
    await opening?.then(
      (thread) => thread.close(),
      () => undefined,
    );
  }
}

/** Whether an error of SQLite says that the file is damaged, or is no database. */
function damaged(error: unknown): boolean {
  const code = ((error as { readonly errcode?: number }).errcode ?? 0) & 0xff;
  return code === SQLITE_CORRUPT || code === SQLITE_NOTADB;
}

/** The last event removed by retention; undefined if none was removed. */
export async function readAnchor(
  thread: SqliteThread,
): Promise<(Anchor & { frontier: readonly string[] }) | undefined> {
  const [row] = (await thread.all('SELECT * FROM anchor')) as readonly {
    sequence: number;
    hash: string;
    /** Missing in the format 1. */
    log?: string;
    frontier: string;
  }[];
  if (row === undefined) return undefined;
  const { sequence, hash, log = '', frontier } = row;
  return { sequence, hash, log, frontier: JSON.parse(frontier) };
}

function conditions(filter: LineFilter | undefined): {
  readonly where: string;
  readonly parameters: readonly SqlValue[];
} {
  const clauses: string[] = [];
  const parameters: SqlValue[] = [];
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
