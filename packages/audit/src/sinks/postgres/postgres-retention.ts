import { type ChainHead, EMPTY_HEAD, parseLine } from '../../chain/hash-chain.ts';
import { decodeFrontier, encodeFrontier, leafOf } from '../../chain/merkle.ts';
import { AuditCorruptError } from '../../errors.ts';
import type { Anchor, Retirable } from '../sink.ts';
import { inTransaction, type PostgresClient, type PostgresPool } from './postgres-client.ts';
import { partitionDays, startOf, tablesIn } from './postgres-schema.ts';

const DAY_MS = 86_400_000;
/** Lines per query. */
const READ_LINES = 5_000;

/** Whose events are removed. */
export interface RetiringWriter {
  readonly sink: string;
  readonly schema: string;
  readonly writer: string;
}

/** The events of a writer whose days ended before `cutoff`; undefined if there are none. */
export async function retirableEvents(
  pool: PostgresPool,
  { schema, writer }: RetiringWriter,
  cutoff: Date,
): Promise<Retirable | undefined> {
  const { event, anchor } = tablesIn(schema);
  const day = new Date(Math.floor(cutoff.getTime() / DAY_MS) * DAY_MS);
  // After a clock went back, later days can have lower sequences: they are kept until they end too.
  const { rows } = await pool.query(
    `SELECT (SELECT sequence FROM ${anchor} WHERE writer = $1) AS anchor, line FROM ${event}
      WHERE writer = $1 AND at < $2 AND sequence < coalesce(
        (SELECT min(sequence) FROM ${event} WHERE writer = $1 AND at >= $2), 9223372036854775807)
      ORDER BY sequence DESC LIMIT 1`,
    [writer, day.toISOString()],
  );
  const row = rows[0] as { anchor: string | null; line: string } | undefined;
  if (row === undefined) return undefined;
  const { sequence, hash, log } = parseLine(row.line);
  return { from: Number(row.anchor ?? 0) + 1, sequence, hash, log };
}

/** Removes the events of a writer up to `last` and stores its anchor, and then drops empty days. */
export async function retireEvents(
  pool: PostgresPool,
  retiring: RetiringWriter,
  last: ChainHead,
  cutoff: Date,
): Promise<void> {
  const client = await pool.connect();
  try {
    const { schema, writer } = retiring;
    const { event, checkpoint } = tablesIn(schema);
    await inTransaction(client, async () => {
      await storeAnchor(client, retiring, last);
      const values = [writer, last.sequence];
      await client.query(`DELETE FROM ${event} WHERE writer = $1 AND sequence <= $2`, values);
      await client.query(`DELETE FROM ${checkpoint} WHERE writer = $1 AND size < $2`, values);
    });
    await dropEmptyDays(client, schema, cutoff);
  } finally {
    client.release();
  }
}

async function dropEmptyDays(client: PostgresClient, schema: string, cutoff: Date): Promise<void> {
  const { event } = tablesIn(schema);
  for (const day of await partitionDays(client, schema)) {
    if (startOf(day).getTime() + DAY_MS > cutoff.getTime()) return;
    const partition = `"${schema}"."audit_event_${day}"`;
    await inTransaction(client, async () => {
      await client.query(
        `SELECT pg_advisory_xact_lock(hashtextextended('temper audit retention', 0))`,
      );
      const there = await client.query(`SELECT to_regclass($1) IS NOT NULL AS there`, [partition]);
      if (!(there.rows[0] as { there: boolean }).there) return;
      // No other writer may add an event between the check and the removal. The removal locks the parent
      // too, and readers lock the parent first: any other order is a deadlock.
      await client.query(`LOCK TABLE ONLY ${event} IN ACCESS EXCLUSIVE MODE`);
      await client.query(`LOCK TABLE ${partition} IN ACCESS EXCLUSIVE MODE`);
      const { rows } = await client.query(`SELECT EXISTS (SELECT FROM ${partition}) AS used`);
      if (!(rows[0] as { used: boolean }).used) await client.query(`DROP TABLE ${partition}`);
    });
  }
}

/** Stores the anchor of a writer at the event `last`. */
async function storeAnchor(
  client: PostgresClient,
  { sink, schema, writer }: RetiringWriter,
  last: ChainHead,
): Promise<void> {
  const { event, anchor } = tablesIn(schema);
  const found = await client.query(
    `SELECT sequence, hash, log, frontier FROM ${anchor} WHERE writer = $1`,
    [writer],
  );
  const before = found.rows[0] as (Anchor & { readonly frontier: string[] }) | undefined;
  const begin = Number(before?.sequence ?? 0);
  const frontier = decodeFrontier(begin, before?.frontier ?? []);
  let head: ChainHead =
    before === undefined ? EMPTY_HEAD : { sequence: begin, hash: before.hash, log: before.log };
  while (head.sequence < last.sequence) {
    const { rows } = await client.query(
      `SELECT line FROM ${event} WHERE writer = $1 AND sequence > $2 AND sequence <= $3
        ORDER BY sequence LIMIT ${READ_LINES}`,
      [writer, head.sequence, last.sequence],
    );
    const reached = head.sequence;
    for (const { line } of rows as { line: string }[]) {
      const { sequence, hash, log } = parseLine(line);
      if (sequence !== head.sequence + 1) break;
      frontier.append(leafOf(hash));
      head = { sequence, hash, log };
    }
    if (head.sequence === reached) break; // an event is missing
  }
  if (head.sequence !== last.sequence || head.hash !== last.hash) {
    const what = 'the events to remove are not those of the chain';
    throw new AuditCorruptError(sink, `of writer '${writer}'`, head.sequence + 1, what);
  }
  await client.query(
    `INSERT INTO ${anchor} (writer, sequence, hash, log, frontier) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (writer) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash,
       log = excluded.log, frontier = excluded.frontier`,
    [writer, head.sequence, head.hash, head.log, JSON.stringify(encodeFrontier(frontier))],
  );
}
