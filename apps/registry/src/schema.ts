import type { DatabaseSync } from 'node:sqlite';

/**
 * The schema migrations, starting from an empty file. `user_version` is the number of applied
 * steps. Only append steps.
 */
const STEPS: readonly string[] = [
  `
  CREATE TABLE version (
    id             INTEGER PRIMARY KEY,
    name           TEXT NOT NULL,
    version        TEXT NOT NULL,
    manifest       TEXT NOT NULL,
    sha256         TEXT NOT NULL,
    integrity      TEXT NOT NULL,
    size_bytes     INTEGER NOT NULL,
    unpacked_bytes INTEGER NOT NULL,
    file_count     INTEGER NOT NULL,
    published_at   TEXT NOT NULL,
    yanked_at      TEXT,
    yanked_reason  TEXT,
    UNIQUE (name, version)
  ) STRICT;
  CREATE TABLE tarball (
    version_id INTEGER PRIMARY KEY REFERENCES version (id),
    bytes      BLOB NOT NULL
  ) STRICT;
  CREATE TABLE setting (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];

/** Applies the missing migrations, each in a transaction. */
export function migrate(database: DatabaseSync): void {
  const found = database.prepare('PRAGMA user_version').get() as { user_version: number };
  if (found.user_version > STEPS.length) {
    throw new Error(
      `The database has schema version ${found.user_version}; this registry supports up to ${STEPS.length}.`,
    );
  }
  for (let step = found.user_version; step < STEPS.length; step += 1) {
    database.exec('BEGIN IMMEDIATE');
    try {
      database.exec(STEPS[step]!);
      database.exec(`PRAGMA user_version = ${step + 1}`);
      database.exec('COMMIT');
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    }
  }
}
