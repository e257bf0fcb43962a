import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** The folder of a service that runs without `--data-dir`, as far as no other has it. */
export const DEFAULT_DATA_DIR = '.demo-data';
/** Services beside each other that get folders of their own. */
const MOST_FOLDERS = 20;
const SQLITE_BUSY = 5;

/** A data folder that no other service uses until this is disposed of, or the process ends. */
export interface DataDir extends Disposable {
  readonly path: string;
  /** The folder that another service has, in whose place this one was taken. */
  readonly insteadOf: string | undefined;
}

/**
 * Takes a folder for this process. The process that has it holds a lock on a file in it, which the system releases
 * when the process ends, whatever ends it.
 *
 * @param given - the folder that the user chose; without it `usual`, or another one with a number
 * @throws {Error} when another service has the folder that was given
 */
export function takeDataDir(given: string | undefined, usual: string = DEFAULT_DATA_DIR): DataDir {
  const first = resolve(given ?? usual);
  const folders = given === undefined ? MOST_FOLDERS : 1;
  for (let number = 1; number <= folders; number += 1) {
    const path = number === 1 ? first : `${first}-${number}`;
    const lock = lockOf(path);
    if (lock === undefined) continue;
    return {
      path,
      insteadOf: number === 1 ? undefined : first,
      [Symbol.dispose]: () => lock.close(),
    };
  }
  throw new Error(`The data directory ${first} is in use by another service; choose --data-dir.`);
}

/** @returns what holds the lock of a folder; undefined when another service holds it */
function lockOf(folder: string): DatabaseSync | undefined {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(join(folder, 'in-use.db'));
  try {
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    throw error;
  }
}
