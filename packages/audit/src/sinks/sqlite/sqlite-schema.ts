import { AuditCorruptError } from '../../errors.ts';
import type { IndexedField } from '../sink.ts';
import type { SqliteThread } from './sqlite-thread.ts';
import type { SqlValue } from './sqlite-thread-program.ts';

/** 'TmAu': identifies the database to `file` and other tools. */
const APPLICATION_ID = 0x546d4175;
const SCHEMA_VERSION = 2;

/**
 * JSON paths of fields in a line. The fields have no columns of their own, which could differ from the
 * line.
 */
const FIELDS: Readonly<Record<IndexedField | 'timestamp', string>> = {
  id: '$.id',
  timestamp: '$.timestamp',
  eventType: '$.eventType',
  action: '$.action',
  resource: '$.resource',
  status: '$.status',
  actor: '$.actor.id',
  traceId: '$.traceId',
  spanId: '$.spanId',
};

/** Fields that can be indexed. */
export const indexNames = Object.keys(FIELDS) as readonly (keyof typeof FIELDS)[];

/** A field as an SQL expression. An index on the same expression is used by queries. */
export function fieldExpression(field: keyof typeof FIELDS): string {
  return `(line ->> '${FIELDS[field]}')`;
}

/** Creates the tables in a new database, and rejects a database of another application or version. */
export async function createSchema(
  thread: SqliteThread,
  path: string,
  sink: string,
  indexes: readonly string[],
): Promise<void> {
  const [found] = await thread.all(
    `SELECT (SELECT count(*) FROM sqlite_schema) AS tables, application_id AS application, user_version AS version
       FROM pragma_application_id, pragma_user_version`,
  );
  const { tables, application, version } = found as Readonly<Record<string, SqlValue>>;
  const corrupt = (what: string): AuditCorruptError =>
    new AuditCorruptError(sink, path, undefined, what);
  if (tables !== 0 && application !== APPLICATION_ID) {
    throw corrupt('it is a database of another application');
  }
  if (tables !== 0 && version !== SCHEMA_VERSION) {
    throw corrupt('it has the schema of another version of this package');
  }
  const statements = tables === 0 ? newTables() : [];
  for (const name of indexNames) {
    const index = `"event_${name}"`;
    statements.push(
      indexes.includes(name)
        ? `CREATE INDEX IF NOT EXISTS ${index} ON event (${fieldExpression(name)})`
        : `DROP INDEX IF EXISTS ${index}`,
    );
  }
  await thread.transact(statements.map((sql) => ({ sql, rows: [[]] })));
}

function newTables(): string[] {
  const columns = indexNames.map((name) => `${fieldExpression(name)} AS "${name}"`);
  return [
    'CREATE TABLE event (sequence INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT',
    `CREATE VIEW audit AS SELECT sequence, ${columns.join(', ')}, line FROM event`,
    'CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL, frontier TEXT NOT NULL) STRICT',
    `CREATE TABLE anchor (one INTEGER PRIMARY KEY CHECK (one = 1), sequence INTEGER NOT NULL,
       hash TEXT NOT NULL, log TEXT NOT NULL, frontier TEXT NOT NULL) STRICT`,
    // Names the writer that has opened the database last; no other may write.
    'CREATE TABLE writer (one INTEGER PRIMARY KEY CHECK (one = 1), token TEXT NOT NULL) STRICT',
    `PRAGMA application_id = ${APPLICATION_ID}`,
    `PRAGMA user_version = ${SCHEMA_VERSION}`,
  ];
}
