import type { DatabaseSync, DatabaseSyncOptions } from 'node:sqlite';

/**
 * Opens a database with `node:sqlite`. The module is loaded on first use, because older versions of
 * Node print a warning when it is loaded, and some builds do not have it.
 *
 * @throws {TypeError} if this build of Node does not have `node:sqlite`
 */
export function openDatabase(path: string, options: DatabaseSyncOptions = {}): DatabaseSync {
  const sqlite = process.getBuiltinModule('node:sqlite');
  if (sqlite === undefined)
    throw new TypeError(
      'This build of Node does not have node:sqlite; use another build, or a sink that does not need it.',
    );
  return new sqlite.DatabaseSync(path, options);
}
