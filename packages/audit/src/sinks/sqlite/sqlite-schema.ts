import type { DatabaseSync } from 'node:sqlite';
import { AuditCorruptError } from '../../errors.ts';
import type { IndexedField } from '../sink.ts';

/** 'TmAu': identifies the database to `file` and other tools. */
const APPLICATION_ID = 0x546d4175;
const SCHEMA_VERSION = 1;

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
export function createSchema(
  database: DatabaseSync,
  path: string,
  sink: string,
  indexes: readonly string[],
): void {
  const pragma = (name: string): number =>
    Object.values(database.prepare(`PRAGMA ${name}`).get() as object)[0] as number;
  const tables = database.prepare('SELECT count(*) AS count FROM sqlite_schema').get();
  if ((tables as { count: number }).count === 0) {
    const columns = indexNames.map((name) => `${fieldExpression(name)} AS "${name}"`);
    database.exec(`
      BEGIN IMMEDIATE;
      CREATE TABLE event (sequence INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT;
      CREATE VIEW audit AS SELECT sequence, ${columns.join(', ')}, line FROM event;
      CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, note TEXT NOT NULL, frontier TEXT NOT NULL) STRICT;
      CREATE TABLE anchor (one INTEGER PRIMARY KEY CHECK (one = 1), sequence INTEGER NOT NULL, hash TEXT NOT NULL, frontier TEXT NOT NULL) STRICT;
      PRAGMA application_id = ${APPLICATION_ID};
      PRAGMA user_version = ${SCHEMA_VERSION};
      COMMIT;`);
  } else if (pragma('application_id') !== APPLICATION_ID) {
    throw new AuditCorruptError(sink, path, undefined, 'it is a database of another application');
  } else if (pragma('user_version') !== SCHEMA_VERSION) {
    throw new AuditCorruptError(
      sink,
      path,
      undefined,
      'it has the schema of another version of this package',
    );
  }
  for (const name of indexNames) {
    const index = `event_${name}`;
    if (indexes.includes(name)) {
      database.exec(`CREATE INDEX IF NOT EXISTS "${index}" ON event (${fieldExpression(name)})`);
    } else {
      database.exec(`DROP INDEX IF EXISTS "${index}"`);
    }
  }
}
