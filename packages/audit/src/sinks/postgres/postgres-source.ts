import { lineSequence } from '../../chain/line-fields.ts';
import { AuditCorruptError } from '../../errors.ts';
import { KeyCheck, type KeyedLine } from '../key-check.ts';
import type { Anchor, AuditSource, LineFilter, ReadRange, StoredCheckpoint } from '../sink.ts';
import { storedAnchor, storedCheckpoint } from '../stored-state.ts';
import type { PostgresPool } from './postgres-client.ts';
import { fieldExpression, type PostgresTables, tablesIn } from './postgres-schema.ts';

/** Lines per query. */
const READ_LINES = 1_000;

interface Row {
  readonly sequence: string;
  readonly at: string;
  readonly line: string;
}

/** Reads the chain of one writer of {@link postgresSink}. */
export class PostgresSource implements AuditSource {
  readonly name: string;
  readonly #pool: PostgresPool;
  readonly #writer: string;
  readonly #tables: PostgresTables;

  constructor(pool: PostgresPool, writer: string, schema = 'public', name: string = writer) {
    this.name = name;
    this.#pool = pool;
    this.#writer = writer;
    this.#tables = tablesIn(schema);
  }

  async *read(range: ReadRange): AsyncGenerator<readonly string[], void, undefined> {
    const { reverse = false, filter } = range;
    let low = range.from ?? 0;
    let high = Math.min(range.to ?? Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
    const check = new KeyCheck(reverse);
    while (low <= high) {
      const { text, values } = this.#select(low, high, reverse, filter);
      const found = (await this.#pool.query(text, values)).rows as readonly Row[];
      const rows = found.map(({ sequence, at, line }) => ({ key: Number(sequence), at, line }));
      const valid = check.validCount(rows);
      if (valid > 0) yield rows.slice(0, valid).map(({ line }) => line);
      if (valid < rows.length) throw this.#misfiled(rows[valid] as KeyedLine);
      if (rows.length < READ_LINES) return;
      const last = (rows.at(-1) as KeyedLine).key;
      if (reverse) high = last - 1;
      else low = last + 1;
    }
  }

  #select(
    low: number,
    high: number,
    reverse: boolean,
    filter: LineFilter | undefined,
  ): { readonly text: string; readonly values: unknown[] } {
    const values: unknown[] = [this.#writer, low, high];
    const conditions = ['writer = $1', 'sequence BETWEEN $2 AND $3'];
    const condition = (sql: string, value: unknown): void => {
      values.push(value);
      conditions.push(sql.replace('?', `$${values.length}`));
    };
    for (const [field, wanted] of filter?.equals ?? []) {
      condition(`${fieldExpression(field)} = ANY (?)`, wanted);
    }
    // Tables are partitioned by day, so a time range excludes most partitions.
    if (filter?.since !== undefined) condition('at >= ?', filter.since);
    if (filter?.until !== undefined) condition('at < ?', filter.until);
    const text = `SELECT sequence, to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at, line
      FROM ${this.#tables.event} WHERE ${conditions.join(' AND ')}
      ORDER BY sequence ${reverse ? 'DESC' : 'ASC'} LIMIT ${READ_LINES}`;
    return { text, values };
  }

  #misfiled({ key, at, line }: KeyedLine): AuditCorruptError {
    const what = `it is stored under another sequence or time, ${key} and ${at}`;
    return new AuditCorruptError(this.name, this.name, lineSequence(line), what);
  }

  async anchor(): Promise<Anchor | undefined> {
    const { rows } = await this.#pool.query(
      `SELECT * FROM ${this.#tables.anchor} WHERE writer = $1`,
      [this.#writer],
    );
    const row = rows[0] as { readonly sequence: string } | undefined;
    if (row === undefined) return undefined;
    return storedAnchor(this.name, this.name, { ...row, sequence: Number(row.sequence) });
  }

  async checkpoints(): Promise<readonly StoredCheckpoint[]> {
    const { rows } = await this.#pool.query(
      `SELECT size, note, frontier FROM ${this.#tables.checkpoint} WHERE writer = $1 ORDER BY size`,
      [this.#writer],
    );
    return (rows as { readonly size: string }[]).map((row) => {
      const checkpoint = storedCheckpoint({ ...row, size: Number(row.size) });
      if (checkpoint !== undefined) return checkpoint;
      const what = `its checkpoint ${row.size} is malformed`;
      throw new AuditCorruptError(this.name, this.name, undefined, what);
    });
  }
}

/** Names of all writers with a chain in the schema. */
export async function postgresWriters(
  pool: PostgresPool,
  schema: string = 'public',
): Promise<readonly string[]> {
  const { rows } = await pool.query(`SELECT writer FROM ${tablesIn(schema).head} ORDER BY writer`);
  return (rows as { writer: string }[]).map(({ writer }) => writer);
}
