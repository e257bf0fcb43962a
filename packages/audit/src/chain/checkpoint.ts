import { decodeBase64 } from './base64.ts';
import { EMPTY_ROOT, type NodeHash } from './merkle.ts';
import { openNote, parseNote, signNote } from './signed-note.ts';
import type { NoteSigner, NoteVerifier } from './signing-key.ts';

/** Content of a checkpoint: the root of a log at a size. */
export interface CheckpointBody {
  /** Unique identifier of the log, by convention a URL without scheme. */
  readonly origin: string;
  /** Number of events covered: those with sequence 1 to `size`. */
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
 * Signs a checkpoint and returns the signed note.
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
 * @throws {TypeError} if it is not a signed checkpoint
 */
export function parseCheckpoint(note: string): CheckpointBody {
  return parseBody(parseNote(note).text);
}

/**
 * Reads a checkpoint and verifies its signature.
 *
 * @throws {TypeError} if it is malformed or has no valid signature of any verifier
 */
export function openCheckpoint(note: string, verifiers: readonly NoteVerifier[]): CheckpointBody {
  return parseBody(openNote(note, verifiers).text);
}

function parseBody(text: string): CheckpointBody {
  // Extension lines may follow. They cannot be verified and are ignored.
  const [origin = '', size = '', root = '', ...rest] = text.slice(0, -1).split('\n');
  const bytes = decodeBase64(root);
  if (
    origin === '' ||
    !/^(0|[1-9][0-9]{0,15})$/.test(size) ||
    !Number.isSafeInteger(Number(size)) ||
    bytes.length !== EMPTY_ROOT.length ||
    rest.includes('')
  ) {
    throw new TypeError(
      'The note is not a checkpoint: it must have lines for origin, size and root hash.',
    );
  }
  return { origin, size: Number(size), root: bytes };
}
