import type { DatabaseSync } from 'node:sqlite';
import { AuditLockedError } from '../errors.ts';
import { openDatabase } from './node-sqlite.ts';

/** Primary result code SQLITE_BUSY, the low byte of extended result codes. */
const SQLITE_BUSY = 5;

/**
 * Excludes a second writer of a log.
 *
 * The lock is SQLite's lock on an empty database file. The kernel releases it when the process ends,
 * even on SIGKILL, so there are no stale locks and no process ids to check, and two containers that
 * share a volume exclude each other.
 */
export class WriterLock {
  readonly #database: DatabaseSync;

  /** @throws {AuditLockedError} if another writer holds the lock */
  constructor(sink: string, location: string, path: string) {
    const database = openDatabase(path, { timeout: 0 });
    try {
      database.exec('PRAGMA journal_mode=OFF; BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      const { errcode } = error as { errcode?: number };
      if (errcode !== undefined && (errcode & 0xff) === SQLITE_BUSY) {
        throw new AuditLockedError(sink, location, error);
      }
      throw error;
    }
    this.#database = database;
  }

  release(): void {
    this.#database.close();
  }
}
