import type { CheckpointBody } from '../chain/checkpoint.ts';

/** A place for checkpoints that the log's machine cannot modify. */
export interface CheckpointStore {
  /** Name in errors. */
  readonly name: string;
  /**
   * Stores a checkpoint. Resolves when it is durable. Called one at a time, in order of size; storing the
   * same checkpoint again is not an error.
   */
  put(note: string, checkpoint: CheckpointBody): Promise<void>;
  /**
   * The stored checkpoints, largest first as far as names tell. They are not verified: a reader skips
   * what the log's key has not signed.
   */
  latest(): AsyncIterable<string>;
}

/** Digits of the largest size, so that names sort like sizes. */
const DIGITS = 16;

/** A size with leading zeros. */
export function padSize(size: number): string {
  return String(size).padStart(DIGITS, '0');
}

/** The rank of a size: larger sizes have names that sort first. */
export function rankOf(size: number): string {
  return padSize(Number.MAX_SAFE_INTEGER - size);
}
