import { messageOf, safeText } from '@temper/core/policy';
import { type CheckpointBody, openCheckpoint, parseCheckpoint } from '../chain/checkpoint.ts';
import type { MerkleFrontier } from '../chain/merkle.ts';
import { noteVerifier } from '../chain/signing-key.ts';
import type { StoredCheckpoint } from '../sinks/sink.ts';
import type { LogPart } from './log-part.ts';
import { type Standing, TrustedKeys } from './trusted-keys.ts';
import type { CheckpointCounts, VerifyOptions, VerifyProblem } from './verify-report.ts';

interface Expected {
  readonly note: string;
  readonly body: CheckpointBody;
  /** Whether it was given, and not found in the store. */
  readonly kept: boolean;
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
  /** The keys that are trusted at the size that has been reached. */
  readonly keys: TrustedKeys;
  readonly #keyed: boolean;
  readonly #origin: string | undefined;

  /**
   * @param part - if only a part of the log is verified, which proofs tie to further checkpoints
   * @throws {TypeError} if a key or a checkpoint of the options is malformed, or a checkpoint of the options is
   *   not signed by a key of the name of a given one
   */
  constructor(
    stored: readonly StoredCheckpoint[],
    options: VerifyOptions,
    begin: number = Number.POSITIVE_INFINITY,
    part?: LogPart,
  ) {
    const given = options.keys ?? [];
    this.keys = new TrustedKeys(given);
    this.#keyed = given.length > 0;
    const kept: Expected[] = (options.checkpoints ?? []).map((note) => {
      const body = parseCheckpoint(note);
      if (this.#keyed && !this.keys.named(note)) openCheckpoint(note, given.map(noteVerifier));
      this.keys.standing(note, body.size); // throws if a given key's signature is invalid
      return { note, body, kept: true };
    });
    const own: Expected[] = [];
    for (const checkpoint of stored) {
      try {
        own.push(readStored(checkpoint, this.keys));
      } catch (error) {
        this.problem ??= invalid(checkpoint.size, error);
      }
    }
    const origin = options.origin ?? kept[0]?.body.origin;
    this.#origin = origin;
    for (const one of [...kept, ...own]) {
      if (one.kept || this.#standing(one) === 'trusted') this.problem ??= this.#foreign(one);
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
    const here: Expected[] = [];
    for (;;) {
      const expected = this.#expected[this.#next];
      if (expected === undefined || expected.body.size !== frontier.size) break;
      const { size, root } = expected.body;
      if (!root.equals(frontier.root())) {
        const sequence = Math.min(this.#matched + 1, size);
        const where = sequence === size ? `event ${size}` : `an event from ${sequence} to ${size}`;
        const message = `The log does not match the checkpoint over ${size} events: ${where} was changed after signing.`;
        return { kind: 'rewritten', sequence, message };
      }
      this.#next++;
      this.#matched = size;
      here.push(expected);
    }
    return this.#believe(here);
  }

  /** Counts checkpoints of one size that match the log. */
  #believe(here: readonly Expected[]): VerifyProblem | undefined {
    try {
      // The next key may have signed one that is earlier in the list.
      while (here.some(({ note, body }) => this.keys.cover(note, body.size)));
      for (const one of here) {
        const problem = this.#judge(one, this.#standing(one));
        if (problem !== undefined) return problem;
      }
      return undefined;
    } catch (error) {
      return invalid((here[0] as Expected).body.size, error);
    }
  }

  #judge(one: Expected, standing: Standing): VerifyProblem | undefined {
    const { size } = one.body;
    if (standing === 'replaced') {
      const message = `The checkpoint over ${size} events is signed by a key that the log had replaced before.`;
      return { kind: 'checkpoint', sequence: size, message };
    }
    if (standing === 'unknown' && one.kept && this.#keyed) {
      const message = `Neither a given key nor one that the log states to replace it has signed the given checkpoint over ${size} events.`;
      return { kind: 'checkpoint', sequence: size, message };
    }
    const trusted = standing === 'trusted' || one.kept;
    const foreign = trusted ? this.#foreign(one) : undefined;
    if (foreign === undefined) this.#count(size, trusted);
    return foreign;
  }

  #standing({ note, body }: Expected): Standing {
    return this.keys.standing(note, body.size);
  }

  #foreign({ body }: Expected): VerifyProblem | undefined {
    if (this.#origin === undefined || body.origin === this.#origin) return undefined;
    const message = `The checkpoint over ${body.size} events is of another log: its origin is '${safeText(body.origin)}', not '${safeText(this.#origin)}'.`;
    return { kind: 'checkpoint', sequence: body.size, message };
  }
  #count(size: number, trusted: boolean): void {
    this.#checked++;
    if (!trusted) return;
    this.#trusted++;
    this.#covered = Math.max(this.#covered, size);
  }

  /** Compares the checkpoints that proofs lead to from the end of a part of a log. */
  #follow(frontier: MerkleFrontier): VerifyProblem | undefined {
    for (const expected of this.#outside) {
      const { size, root } = expected.body;
      if (this.#part?.proves(size, root, frontier) !== true) {
        const message = `No proof leads from the last event, ${frontier.size}, to the checkpoint over ${size} events: an event was changed after signing, or the proof.`;
        return { kind: 'rewritten', sequence: this.#matched + 1, message };
      }
      const problem = this.#believe([expected]);
      if (problem !== undefined) return problem;
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

/** @throws {TypeError} if it is malformed, or the signature of a given key is invalid */
function readStored({ note, size }: StoredCheckpoint, keys: TrustedKeys): Expected {
  const body = parseCheckpoint(note);
  if (body.size !== size) throw new TypeError(`its note has the size ${body.size}.`);
  keys.standing(note, size);
  return { note, body, kept: false };
}

function invalid(size: number, error: unknown): VerifyProblem {
  const message = `The checkpoint over ${size} events is invalid: ${messageOf(error)}`;
  return { kind: 'checkpoint', sequence: size, message };
}
