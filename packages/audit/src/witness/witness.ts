import { hash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { notify, safeText } from '@temper/core/policy';
import { type CheckpointBody, openCheckpoint, parseCheckpoint } from '../chain/checkpoint.ts';
import { EMPTY_ROOT } from '../chain/merkle.ts';
import { verifyConsistency } from '../chain/merkle-proof.ts';
import { parseNote, signatureLine } from '../chain/signed-note.ts';
import { type NoteSigner, type NoteVerifier, noteVerifier } from '../chain/signing-key.ts';
import { readIfPresent, writeDurably } from '../durable-file.ts';
import { WriterLock } from '../sinks/writer-lock.ts';
import { type AddCheckpoint, parseAddCheckpoint } from './add-checkpoint.ts';
import {
  resolveWitnessOptions,
  type WitnessConflict,
  type WitnessOptions,
} from './witness-options.ts';

/** An answer of a witness, as HTTP carries it. */
export interface WitnessAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** A log that the witness knows. */
interface KnownLog {
  readonly verifiers: readonly NoteVerifier[];
  /** Requests are processed one at a time: comparing and storing must not be interleaved. */
  turn: Promise<unknown>;
}

interface Cosigned {
  readonly note: string;
  readonly body: CheckpointBody;
}

/**
 * A witness: cosigns a checkpoint of a known log if it continues the last one that it has cosigned, and
 * stores it before it answers. It sees sizes and roots, never events.
 *
 * @see https://c2sp.org/tlog-witness
 */
export class WitnessState {
  readonly #directory: string;
  readonly #cosigner: NoteSigner;
  readonly #logs = new Map<string, KnownLog>();
  readonly #onConflict: WitnessOptions['onConflict'];
  #lock: WriterLock | undefined;

  /** @throws {TypeError} if an option is invalid, see {@link WitnessOptions} */
  constructor(options: WitnessOptions) {
    const { directory, cosigner, logs, onConflict } = resolveWitnessOptions(options);
    this.#directory = directory;
    this.#cosigner = cosigner;
    this.#onConflict = onConflict;
    for (const { origin, keys } of logs) {
      this.#logs.set(origin, { verifiers: keys.map(noteVerifier), turn: Promise.resolve() });
    }
  }

  /** The key by which others verify the cosignatures. */
  get verifierKey(): string {
    return this.#cosigner.verifierKey;
  }

  /**
   * Creates the directory and locks it.
   *
   * @throws {AuditLockedError} if another witness uses the directory
   */
  async open(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    this.#lock = new WriterLock('witness', this.#directory, join(this.#directory, 'witness.lock'));
  }

  /** Waits for the requests in progress and releases the directory. */
  async close(): Promise<void> {
    await Promise.all([...this.#logs.values()].map(({ turn }) => turn));
    this.#lock?.release();
    this.#lock = undefined;
  }

  /** Answers a request `add-checkpoint`. Rejects only if the state cannot be read or stored. */
  async add(request: string): Promise<WitnessAnswer> {
    let parsed: AddCheckpoint;
    let body: CheckpointBody;
    try {
      parsed = parseAddCheckpoint(request);
      body = parseCheckpoint(parsed.note);
    } catch (error) {
      return plain(400, (error as Error).message);
    }
    const log = this.#logs.get(body.origin);
    if (log === undefined) return plain(404, 'The origin is not known.');
    try {
      openCheckpoint(parsed.note, log.verifiers);
    } catch {
      return plain(403, 'The checkpoint is not signed by a known key of its origin.');
    }
    if (parsed.old > body.size) {
      return plain(400, 'The old size is larger than that of the checkpoint.');
    }
    const answered = log.turn.then(() => this.#compare(parsed, body, log));
    log.turn = answered.catch(() => undefined);
    return answered;
  }

  async #compare(
    { old, proof, note }: AddCheckpoint,
    body: CheckpointBody,
    log: KnownLog,
  ): Promise<WitnessAnswer> {
    const last = await this.#read(body.origin, log.verifiers);
    const { size, root } = last?.body ?? { size: 0, root: EMPTY_ROOT };
    if (old !== size) {
      if (body.size < size) this.#conflict('size', last, note);
      else if (body.size === size && !body.root.equals(root)) this.#conflict('root', last, note);
      return conflict(size);
    }
    if (body.size === size && !body.root.equals(root)) {
      this.#conflict('root', last, note);
      return conflict(size);
    }
    if (!verifyConsistency(size, body.size, root, body.root, proof)) {
      this.#conflict('proof', last, note);
      return plain(422, 'The proof does not show that the checkpoint continues the last one.');
    }
    const cosignature = await this.#cosign(note);
    const text = `${withKnownSignatures(note, log.verifiers)}${cosignature}\n`;
    await writeDurably(this.#path(body.origin), text);
    return { status: 200, type: 'text/plain; charset=utf-8', body: `${cosignature}\n` };
  }

  async #cosign(note: string): Promise<string> {
    const { name, keyId } = this.#cosigner;
    const signature = await this.#cosigner.sign(Buffer.from(parseNote(note).text));
    return signatureLine({ name, keyId, signature });
  }

  #conflict(kind: WitnessConflict['kind'], last: Cosigned | undefined, refused: string): void {
    if (last === undefined) return;
    const conflict = { kind, origin: last.body.origin, cosigned: last.note, refused };
    notify('witness', 'onConflict', this.#onConflict, conflict);
  }

  /**
   * The last cosigned checkpoint of a log, as a note with this witness's cosignature. An extension of
   * the protocol: `GET /checkpoint/<SHA-256 of the origin, hexadecimal>`.
   */
  async last(originHash: string): Promise<WitnessAnswer> {
    for (const [origin, { verifiers }] of this.#logs) {
      if (hash('sha256', origin) !== originHash) continue;
      const last = await this.#read(origin, verifiers);
      if (last !== undefined) {
        return { status: 200, type: 'text/plain; charset=utf-8', body: last.note };
      }
    }
    return plain(404, 'No checkpoint of this origin has been cosigned.');
  }

  async #read(origin: string, verifiers: readonly NoteVerifier[]): Promise<Cosigned | undefined> {
    const note = await readIfPresent(this.#path(origin));
    if (note === undefined) return undefined;
    let body: CheckpointBody | undefined;
    try {
      body = openCheckpoint(note, verifiers);
    } catch {
      // Reported below: a damaged state must not count as a log that was never seen.
    }
    if (body?.origin !== origin) {
      throw new Error(`The stored checkpoint of '${safeText(origin)}' is damaged.`);
    }
    return { note, body };
  }

  #path(origin: string): string {
    return join(this.#directory, `${hash('sha256', origin)}.checkpoint`);
  }
}

/** A checkpoint with the signatures of these keys only. */
function withKnownSignatures(note: string, verifiers: readonly NoteVerifier[]): string {
  const { text, signatures } = parseNote(note);
  const known = signatures.filter(({ name, keyId }) =>
    verifiers.some((verifier) => verifier.name === name && verifier.keyId === keyId),
  );
  return `${text}\n${known.map((signature) => `${signatureLine(signature)}\n`).join('')}`;
}

function plain(status: number, message: string): WitnessAnswer {
  return { status, type: 'text/plain; charset=utf-8', body: `${message}\n` };
}

function conflict(size: number): WitnessAnswer {
  return { status: 409, type: 'text/x.tlog.size', body: `${size}\n` };
}
