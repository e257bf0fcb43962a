import type { DatabaseSync, DatabaseSyncOptions } from 'node:sqlite';

/**
 * Opens a database with the SQLite that comes with Node. Loaded on first use, as older Node versions
 * warn when they load it, and some are built without.
 *
 * @throws {TypeError} when this Node has none
 */
export function openDatabase(path: string, options: DatabaseSyncOptions = {}): DatabaseSync {
  const sqlite = process.getBuiltinModule('node:sqlite');
  if (sqlite === undefined) throw new TypeError('This Node was built without node:sqlite.');
  return new sqlite.DatabaseSync(path, options);
}
