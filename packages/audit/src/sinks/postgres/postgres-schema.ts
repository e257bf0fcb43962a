import { show } from '@temper/core/policy';
import type { IndexedField } from '../sink.ts';
import { inTransaction, type PostgresClient } from './postgres-client.ts';

const DAY_MS = 86_400_000;
/** Start of the year 10000. */
const END_OF_TIME = 253_402_300_800_000;

/** Names of the tables of one schema, quoted. */
export interface PostgresTables {
  readonly event: string;
  readonly head: string;
  readonly anchor: string;
  readonly checkpoint: string;
}

/** @throws {TypeError} unless the schema is a lower-case identifier */
export function tablesIn(schema: string): PostgresTables {
  if (typeof schema !== 'string' || !/^[a-z_][a-z0-9_]{0,62}$/.test(schema)) {
    throw new TypeError(
      `postgresSink: schema must be a lower-case identifier, got ${show(schema)}.`,
    );
  }
  const table = (name: string): string => `"${schema}"."audit_${name}"`;
  return {
    event: table('event'),
    head: table('head'),
    anchor: table('anchor'),
    checkpoint: table('checkpoint'),
  };
}

const INDEXED: Readonly<Record<IndexedField, true>> = {
  id: true,
  eventType: true,
  action: true,
  resource: true,
  status: true,
  actor: true,
  traceId: true,
  spanId: true,
};

/** Every {@link IndexedField}. */
export const indexNames: readonly string[] = Object.keys(INDEXED);

/** A field as an SQL expression. An index on the same expression is used by queries. */
export function fieldExpression(field: IndexedField): string {
  return field === 'actor' ? `((line::jsonb)#>>'{actor,id}')` : `((line::jsonb)->>'${field}')`;
}

/** Serialises DDL, because concurrent CREATE IF NOT EXISTS statements can fail. */
function ddlLock(tables: PostgresTables): string {
  return `SELECT pg_advisory_xact_lock(hashtextextended('temper audit schema ' || '${tables.event}', 0))`;
}

/** Creates missing tables. */
export async function createTables(
  client: PostgresClient,
  schema: string,
  indexes: readonly IndexedField[],
): Promise<void> {
  const tables = tablesIn(schema);
  const { event, head, anchor, checkpoint } = tables;
  const wanted = indexes.map(
    (field) =>
      `CREATE INDEX IF NOT EXISTS "audit_event_${field}" ON ${event} (${fieldExpression(field)})`,
  );
  await inTransaction(client, async () => {
    await client.query(ddlLock(tables));
    for (const statement of [
      `CREATE SCHEMA IF NOT EXISTS "${schema}"`,
      `CREATE TABLE IF NOT EXISTS ${event} (
         writer text NOT NULL, sequence bigint NOT NULL, at timestamptz NOT NULL, line text NOT NULL,
         PRIMARY KEY (writer, sequence, at)) PARTITION BY RANGE (at)`,
      `CREATE TABLE IF NOT EXISTS ${head} (
         writer text PRIMARY KEY, sequence bigint NOT NULL, hash text NOT NULL)`,
      `CREATE TABLE IF NOT EXISTS ${anchor} (
         writer text PRIMARY KEY, sequence bigint NOT NULL, hash text NOT NULL, log text NOT NULL,
         frontier jsonb NOT NULL)`,
      // Tables of the format 1, whose events this version does not append to.
      `ALTER TABLE ${anchor} ADD COLUMN IF NOT EXISTS log text NOT NULL DEFAULT ''`,
      `CREATE TABLE IF NOT EXISTS ${checkpoint} (
         writer text NOT NULL, size bigint NOT NULL, note text NOT NULL, frontier jsonb NOT NULL,
         PRIMARY KEY (writer, size))`,
      ...wanted,
    ]) {
      await client.query(statement);
    }
  });
}

/** The UTC day of a timestamp, as in the names of partitions: `20261124`. */
export function dayOf(timestamp: string): string {
  return timestamp.slice(0, 10).replaceAll('-', '');
}

/** Creates the partition of a day if it does not exist. */
export async function createPartition(
  client: PostgresClient,
  schema: string,
  day: string,
): Promise<void> {
  const tables = tablesIn(schema);
  const bound = (date: Date): string => {
    // The year after 9999 would have a sign.
    return date.getTime() >= END_OF_TIME ? 'MAXVALUE' : `'${date.toISOString()}'`;
  };
  const start = startOf(day);
  const end = new Date(start.getTime() + DAY_MS);
  await inTransaction(client, async () => {
    await client.query(ddlLock(tables));
    await client.query(
      `CREATE TABLE IF NOT EXISTS "${schema}"."audit_event_${day}" PARTITION OF ${tables.event}
       FOR VALUES FROM (${bound(start)}) TO (${bound(end)})`,
    );
  });
}

/** Start of a day. */
export function startOf(day: string): Date {
  return new Date(`${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6, 8)}T00:00:00.000Z`);
}

/** Days that have a partition, oldest first. */
export async function partitionDays(
  client: PostgresClient,
  schema: string,
): Promise<readonly string[]> {
  const { rows } = await client.query(
    `SELECT child.relname AS name FROM pg_inherits
       JOIN pg_class child ON child.oid = inhrelid
      WHERE inhparent = $1::regclass`,
    [tablesIn(schema).event],
  );
  const names = rows as readonly { readonly name: string }[];
  return names
    .map(({ name }) => name.slice('audit_event_'.length))
    .filter((day) => /^\d{8}$/.test(day))
    .sort();
}
