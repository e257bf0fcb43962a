import { EMPTY_ROOT, type NodeHash } from './merkle.ts';
import { openNote, parseNote, signNote } from './signed-note.ts';
import type { NoteSigner, NoteVerifier } from './signing-key.ts';

/** What a checkpoint says: this log had this root at this size. */
export interface CheckpointBody {
  /** Which log: unique, by convention a URL without scheme. */
  readonly origin: string;
  /** How many events it covers: those with sequence 1 to `size`. */
  readonly size: number;
  /** Root of the Merkle tree over them. */
  readonly root: NodeHash;
}

/** A checkpoint with its signed text. */
export interface SignedCheckpoint {
  readonly note: string;
  readonly body: CheckpointBody;
}

/**
 * Writes and signs a checkpoint.
 *
 * @see https://c2sp.org/tlog-checkpoint
 */
export function signCheckpoint(
  { origin, size, root }: CheckpointBody,
  signers: readonly NoteSigner[],
): Promise<string> {
  return signNote(`${origin}\n${size}\n${root.toString('base64')}\n`, signers);
}

/**
 * Reads a checkpoint without verifying its signature.
 *
 * @throws {TypeError} when it is not a signed checkpoint
 */
export function parseCheckpoint(note: string): CheckpointBody {
  return parseBody(parseNote(note).text);
}

/**
 * Reads a checkpoint and verifies its signature.
 *
 * @throws {TypeError} when it is malformed, or not properly signed by any of the verifiers
 */
export function openCheckpoint(note: string, verifiers: readonly NoteVerifier[]): CheckpointBody {
  return parseBody(openNote(note, verifiers).text);
}

function parseBody(text: string): CheckpointBody {
  // Extension lines may follow; they say nothing that can be checked, and are skipped.
  const [origin = '', size = '', root = '', ...rest] = text.slice(0, -1).split('\n');
  const bytes = Buffer.from(root, 'base64');
  if (
    origin === '' ||
    !/^(0|[1-9][0-9]{0,15})$/.test(size) ||
    !Number.isSafeInteger(Number(size)) ||
    bytes.length !== EMPTY_ROOT.length ||
    bytes.toString('base64') !== root ||
    rest.includes('')
  ) {
    throw new TypeError('The note is not a checkpoint: it must say origin, size and root hash.');
  }
  return { origin, size: Number(size), root: bytes };
}
