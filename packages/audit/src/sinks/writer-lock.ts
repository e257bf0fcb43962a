import type { DatabaseSync } from 'node:sqlite';
import { AuditLockedError } from '../errors.ts';
import { openDatabase } from './node-sqlite.ts';

/** Extended result codes keep the primary one in their low byte; 5 is SQLITE_BUSY. */
const SQLITE_BUSY = 5;

/**
 * Keeps a second writer away from a log.
 *
 * The lock is the one that SQLite puts on an empty database file. The kernel holds it for the process
 * and lets go of it when the process ends, however it ends: there is no stale lock to break, no
 * process id to guess about, and two containers that share a volume exclude each other.
 */
export class WriterLock {
  readonly #database: DatabaseSync;

  /** @throws {AuditLockedError} when somebody else has it */
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
