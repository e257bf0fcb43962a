import { messageOf, safeText } from '@temper/core/policy';
import { type CheckpointBody, openCheckpoint, parseCheckpoint } from '../chain/checkpoint.ts';
import type { MerkleFrontier } from '../chain/merkle.ts';
import { parseNote } from '../chain/signed-note.ts';
import { type NoteVerifier, noteVerifier } from '../chain/signing-key.ts';
import type { StoredCheckpoint } from '../sinks/sink.ts';
import type { LogPart } from './log-part.ts';
import type { CheckpointCounts, VerifyOptions, VerifyProblem } from './verify-report.ts';

interface Expected {
  readonly body: CheckpointBody;
  readonly trusted: boolean;
}

/** Compares a log with its checkpoints, smallest first, while it is being read. */
export class CheckpointComparison {
  /** The first problem of the checkpoints themselves. */
  readonly problem: VerifyProblem | undefined;
  readonly #expected: readonly Expected[];
  #next = 0;
  #checked = 0;
  #trusted = 0;
  #covered = 0;
  /** Size up to which the log matches a checkpoint. */
  #matched: number;
  readonly #tooOld: number;
  /** Those that proofs lead to. */
  readonly #outside: readonly Expected[];
  readonly #part: LogPart | undefined;

  /**
   * @param part - if only a part of the log is verified, which proofs tie to further checkpoints
   * @throws {TypeError} if a checkpoint of the options is malformed or not signed by a given key
   */
  constructor(
    stored: readonly StoredCheckpoint[],
    options: VerifyOptions,
    begin: number = Number.POSITIVE_INFINITY,
    part?: LogPart,
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
        const message = `The checkpoint over ${checkpoint.size} events is invalid: ${messageOf(error)}`;
        this.problem ??= { kind: 'checkpoint', sequence: checkpoint.size, message };
      }
    }
    const origin = options.origin ?? kept[0]?.body.origin;
    const foreign = [...kept, ...own].find(
      ({ body, trusted }) => trusted && origin !== undefined && body.origin !== origin,
    );
    if (foreign !== undefined) {
      const { body } = foreign;
      const message = `The checkpoint over ${body.size} events is of another log: its origin is '${safeText(body.origin)}', not '${safeText(origin as string)}'.`;
      this.problem ??= { kind: 'checkpoint', sequence: body.size, message };
    }
    const isOutside = ({ body }: Expected): boolean => part?.reaches(body.size) ?? false;
    const unreachable = kept.find(
      (one) => (one.body.size < begin || begin === Number.POSITIVE_INFINITY) && !isOutside(one),
    );
    if (unreachable !== undefined) {
      const { size } = unreachable.body;
      const message = `The given checkpoint over ${size} events cannot be compared, because retention has removed events after it; give a later one.`;
      this.problem ??= { kind: 'unreachable', sequence: size, message };
    }
    const all = [...kept, ...own].sort((a, b) => a.body.size - b.body.size);
    this.#part = part;
    this.#outside = all.filter(isOutside);
    this.#expected = all.filter((one) => one.body.size >= begin && !isOutside(one));
    this.#tooOld = all.length - this.#expected.length - this.#outside.length;
    this.#matched = begin;
  }

  /** Compares the checkpoints of the current size. */
  at(frontier: MerkleFrontier | undefined): VerifyProblem | undefined {
    if (frontier === undefined) return undefined;
    for (;;) {
      const expected = this.#expected[this.#next];
      if (expected === undefined || expected.body.size !== frontier.size) return undefined;
      const { size, root } = expected.body;
      if (!root.equals(frontier.root())) {
        const sequence = Math.min(this.#matched + 1, size);
        const where = sequence === size ? `event ${size}` : `an event from ${sequence} to ${size}`;
        const message = `The log does not match the checkpoint over ${size} events: ${where} was changed after signing.`;
        return { kind: 'rewritten', sequence, message };
      }
      this.#next++;
      this.#matched = size;
      this.#count(expected);
    }
  }

  #count({ body, trusted }: Expected): void {
    this.#checked++;
    if (!trusted) return;
    this.#trusted++;
    this.#covered = Math.max(this.#covered, body.size);
  }

  /** Compares the checkpoints that proofs lead to from the end of a part of a log. */
  #follow(frontier: MerkleFrontier): VerifyProblem | undefined {
    for (const expected of this.#outside) {
      const { size, root } = expected.body;
      if (this.#part?.proves(size, root, frontier) !== true) {
        const message = `No proof leads from the last event, ${frontier.size}, to the checkpoint over ${size} events: an event was changed after signing, or the proof.`;
        return { kind: 'rewritten', sequence: this.#matched + 1, message };
      }
      this.#count(expected);
    }
    return undefined;
  }

  /** The problem found at the end of the log, if any. */
  end(
    last: number,
    frontier: MerkleFrontier | undefined,
    { keys, requireCheckpoint = keys !== undefined }: VerifyOptions,
  ): VerifyProblem | undefined {
    const beyond = this.#expected.at(-1);
    if (beyond !== undefined && beyond.body.size > last) {
      const message = `A checkpoint covers ${beyond.body.size} events, but the log ends at ${last}.`;
      return { kind: 'truncated', sequence: last + 1, message };
    }
    const unproven = frontier && this.#follow(frontier);
    if (unproven !== undefined) return unproven;
    if (requireCheckpoint && this.#trusted === 0 && last > 0) {
      const message = 'No trusted checkpoint covers the log.';
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

/** Trusted if a given key has signed it. @throws {TypeError} if such a signature is invalid */
function readStored(
  { note, size }: StoredCheckpoint,
  verifiers: readonly NoteVerifier[],
): Expected {
  const body = parseCheckpoint(note);
  if (body.size !== size) throw new TypeError(`its note has the size ${body.size}.`);
  const known = parseNote(note).signatures.some(({ name, keyId }) =>
    verifiers.some((verifier) => verifier.name === name && verifier.keyId === keyId),
  );
  if (known) openCheckpoint(note, verifiers);
  return { body, trusted: known };
}
