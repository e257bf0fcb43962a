import { type ChainHead, EMPTY_HEAD, parseLine } from '../../chain/hash-chain.ts';
import { decodeFrontier, encodeFrontier, leafOf } from '../../chain/merkle.ts';
import type { Anchor, SinkWriteResult } from '../sink.ts';
import { inTransaction, type PostgresClient } from './postgres-client.ts';
import { partitionDays, startOf, tablesIn } from './postgres-schema.ts';

const DAY_MS = 86_400_000;
/** Lines per query. */
const READ_LINES = 5_000;

/**
 * Drops the days that ended before `cutoff`, oldest first, each in one transaction with the new anchors
 * of its writers.
 *
 * @returns the removed events by writer
 */
export async function retireDays(
  client: PostgresClient,
  schema: string,
  cutoff: Date,
): Promise<ReadonlyMap<string, SinkWriteResult['retired']>> {
  const retired = new Map<string, SinkWriteResult['retired']>();
  for (const day of await partitionDays(client, schema)) {
    if (startOf(day).getTime() + DAY_MS > cutoff.getTime()) break;
    const anchors = await inTransaction(client, () => retireDay(client, schema, day));
    if (anchors === undefined) break;
    for (const [writer, { from, ...to }] of anchors) {
      retired.set(writer, { ...to, from: retired.get(writer)?.from ?? from });
    }
  }
  return retired;
}

/** Undefined if the day must be kept: after a clock went back, later days can have lower sequences. */
async function retireDay(
  client: PostgresClient,
  schema: string,
  day: string,
): Promise<ReadonlyMap<string, SinkWriteResult['retired']> | undefined> {
  const { event } = tablesIn(schema);
  const partition = `"${schema}"."audit_event_${day}"`;
  await client.query(`SELECT pg_advisory_xact_lock(hashtextextended('temper audit retention', 0))`);
  const { rows } = await client.query(`SELECT to_regclass($1) IS NOT NULL AS there`, [partition]);
  const anchors = new Map<string, SinkWriteResult['retired']>();
  if (!(rows[0] as { there: boolean }).there) return anchors;
  const writers = await client.query(
    `SELECT day.writer, max(day.sequence) AS last, EXISTS (
       SELECT FROM ${event} other WHERE other.writer = day.writer AND other.at >= $1
         AND other.sequence < max(day.sequence)) AS tangled
       FROM ${partition} day GROUP BY day.writer`,
    [new Date(startOf(day).getTime() + DAY_MS).toISOString()],
  );
  for (const { writer, last, tangled } of writers.rows as WriterRow[]) {
    if (tangled) return undefined;
    anchors.set(writer, await anchorAt(client, schema, writer, Number(last)));
  }
  await client.query(`DROP TABLE ${partition}`);
  return anchors;
}

interface WriterRow {
  readonly writer: string;
  readonly last: string;
  readonly tangled: boolean;
}

/** Stores the anchor of a writer at the sequence `last`. */
async function anchorAt(
  client: PostgresClient,
  schema: string,
  writer: string,
  last: number,
): Promise<SinkWriteResult['retired']> {
  const { event, anchor, checkpoint } = tablesIn(schema);
  const found = await client.query(
    `SELECT sequence, hash, frontier FROM ${anchor} WHERE writer = $1`,
    [writer],
  );
  const before = found.rows[0] as (Anchor & { readonly frontier: string[] }) | undefined;
  const begin = Number(before?.sequence ?? 0);
  const frontier = decodeFrontier(begin, before?.frontier ?? []);
  let head: ChainHead = before === undefined ? EMPTY_HEAD : { sequence: begin, hash: before.hash };
  while (head.sequence < last) {
    const { rows } = await client.query(
      `SELECT line FROM ${event} WHERE writer = $1 AND sequence > $2 AND sequence <= $3
        ORDER BY sequence LIMIT ${READ_LINES}`,
      [writer, head.sequence, last],
    );
    if (rows.length === 0) break;
    for (const { line } of rows as { line: string }[]) {
      const { sequence, hash } = parseLine(line);
      frontier.append(leafOf(hash));
      head = { sequence, hash };
    }
  }
  await client.query(
    `INSERT INTO ${anchor} (writer, sequence, hash, frontier) VALUES ($1, $2, $3, $4)
     ON CONFLICT (writer) DO UPDATE SET sequence = excluded.sequence, hash = excluded.hash, frontier = excluded.frontier`,
    [writer, head.sequence, head.hash, JSON.stringify(encodeFrontier(frontier))],
  );
  await client.query(`DELETE FROM ${checkpoint} WHERE writer = $1 AND size < $2`, [
    writer,
    head.sequence,
  ]);
  return { from: begin + 1, sequence: head.sequence, hash: head.hash };
}
