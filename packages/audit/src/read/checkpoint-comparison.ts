import { type CheckpointBody, openCheckpoint, parseCheckpoint } from '../chain/checkpoint.ts';
import type { MerkleFrontier } from '../chain/merkle.ts';
import { parseNote } from '../chain/signed-note.ts';
import { type NoteVerifier, noteVerifier } from '../chain/signing-key.ts';
import type { StoredCheckpoint } from '../sinks/sink.ts';
import type { CheckpointCounts, VerifyOptions, VerifyProblem } from './verify-report.ts';

interface Expected {
  readonly body: CheckpointBody;
  readonly trusted: boolean;
}

/** Holds a log against its checkpoints, smallest first, while it is being read. */
export class CheckpointComparison {
  /** What is wrong with the checkpoints themselves. */
  readonly problem: VerifyProblem | undefined;
  readonly #expected: readonly Expected[];
  #next = 0;
  #checked = 0;
  #trusted = 0;
  #covered = 0;
  /** Up to where the log is known to be what was signed. */
  #sound: number;
  readonly #tooOld: number;

  /** @throws {TypeError} when a checkpoint that was kept is not one, or not of the given keys */
  constructor(
    stored: readonly StoredCheckpoint[],
    options: VerifyOptions,
    begin: number = Number.POSITIVE_INFINITY,
  ) {
    const verifiers = (options.keys ?? []).map(noteVerifier);
    const kept = (options.checkpoints ?? []).map((note) => ({
      body: verifiers.length > 0 ? openCheckpoint(note, verifiers) : parseCheckpoint(note),
      trusted: true,
    }));
    const own: Expected[] = [];
    for (const checkpoint of stored) {
      try {
        own.push(readStored(checkpoint, verifiers));
      } catch (error) {
        const message = `The checkpoint over ${checkpoint.size} events: ${(error as Error).message}`;
        this.problem ??= { kind: 'checkpoint', sequence: checkpoint.size, message };
      }
    }
    const all = [...kept, ...own].sort((a, b) => a.body.size - b.body.size);
    this.#expected = all.filter(({ body }) => body.size >= begin);
    this.#tooOld = all.length - this.#expected.length;
    this.#sound = begin;
  }

  /** Compares the checkpoints of the size that has been reached. */
  at(frontier: MerkleFrontier | undefined): VerifyProblem | undefined {
    if (frontier === undefined) return undefined;
    for (;;) {
      const expected = this.#expected[this.#next];
      if (expected === undefined || expected.body.size !== frontier.size) return undefined;
      const { size, root } = expected.body;
      if (!root.equals(frontier.root())) {
        const sequence = Math.min(this.#sound + 1, size);
        const where = sequence === size ? `event ${size}` : `an event from ${sequence} to ${size}`;
        const message = `The log does not match the checkpoint over ${size} events: ${where} is not the one that was signed for.`;
        return { kind: 'rewritten', sequence, message };
      }
      this.#next++;
      this.#checked++;
      this.#sound = size;
      if (expected.trusted) {
        this.#trusted++;
        this.#covered = size;
      }
    }
  }

  /** What is left to say when the log has been read to its end. */
  end(
    last: number,
    { keys, requireCheckpoint = keys !== undefined }: VerifyOptions,
  ): VerifyProblem | undefined {
    const beyond = this.#expected.at(-1);
    if (beyond !== undefined && beyond.body.size > last) {
      const message = `A checkpoint covers ${beyond.body.size} events, but the log ends at ${last}.`;
      return { kind: 'truncated', sequence: last + 1, message };
    }
    if (requireCheckpoint && this.#trusted === 0 && last > 0) {
      const message = 'No checkpoint that can be trusted covers the log.';
      return { kind: 'unsigned', sequence: 1, message };
    }
    return undefined;
  }

  get counts(): CheckpointCounts {
    return {
      checked: this.#checked,
      trusted: this.#trusted,
      covered: this.#covered,
      tooOld: this.#tooOld,
    };
  }
}

/** Trusted when a given key has signed it; refused when such a signature does not match. */
function readStored(
  { note, size }: StoredCheckpoint,
  verifiers: readonly NoteVerifier[],
): Expected {
  const body = parseCheckpoint(note);
  if (body.size !== size) throw new TypeError(`it says ${body.size}.`);
  const known = parseNote(note).signatures.some(({ name, keyId }) =>
    verifiers.some((verifier) => verifier.name === name && verifier.keyId === keyId),
  );
  if (known) openCheckpoint(note, verifiers);
  return { body, trusted: known };
}
