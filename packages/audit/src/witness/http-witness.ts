import { hash } from 'node:crypto';
import { type Clock, systemClock } from '@temper/core';
import { clockRule, messageOf, numberRule, resolveOptions, safeText } from '@temper/core/policy';
import { type BoundedAnswer, boundedFetch, httpUrl } from '../bounded-fetch.ts';
import { parseCheckpoint } from '../chain/checkpoint.ts';
import type { NodeHash } from '../chain/merkle.ts';
import { textRule } from '../option-rules.ts';
import { formatAddCheckpoint, parseSize } from './add-checkpoint.ts';
import { type Cosignature, cosignaturesOf, cosignatureVerifier } from './cosignature.ts';
import { WitnessError } from './witness-error.ts';

/** Largest answer of a witness, in bytes. */
const MAX_ANSWER_BYTES = 65_536;
/** Requests for one checkpoint: the first can only learn the size that the witness has. */
const MAX_REQUESTS = 3;
/** Longest part of an answer in an error message, in UTF-16 code units. */
const MAX_QUOTE = 200;

/** Something that cosigns the checkpoints of a log. */
export interface CheckpointWitness {
  /** Name of its key. */
  readonly name: string;
  /** Verifier key of its cosignatures. */
  readonly verifierKey: string;
  /**
   * Asks for a cosignature of a checkpoint.
   *
   * @param prove - the consistency proof from a smaller size to that of the checkpoint
   * @throws {WitnessError} if the witness does not give a valid one
   */
  cosign(note: string, prove: (from: number) => Promise<readonly NodeHash[]>): Promise<Cosignature>;
  /**
   * The last checkpoint that it has cosigned for an origin, not verified; undefined if there is none, or
   * if it does not say.
   *
   * @throws {WitnessError} if it cannot be asked
   */
  last(origin: string): Promise<string | undefined>;
}

/** Options of {@link httpWitness}. */
export interface HttpWitnessOptions {
  /** Submission prefix: an `http` or `https` URL, to which `/add-checkpoint` is added. */
  readonly url: string;
  /** Verifier key of the witness, of the signature type 4. */
  readonly key: string;
  /**
   * Longest duration of one request, in milliseconds.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless >= 1
   */
  readonly timeoutMs?: number;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

const OWNER = 'httpWitness';

/**
 * A witness that speaks C2SP tlog-witness: the one of `temper-audit witness`, or any other.
 *
 * @throws {TypeError | RangeError} if an option is invalid
 * @see https://c2sp.org/tlog-witness
 */
export function httpWitness(options: HttpWitnessOptions): CheckpointWitness {
  return new HttpWitness(options);
}

class HttpWitness implements CheckpointWitness {
  readonly name: string;
  readonly verifierKey: string;
  readonly #url: string;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  /** Size of the last checkpoint that the witness has cosigned, by origin, as far as is known. */
  readonly #sizes = new Map<string, number>();

  constructor(options: HttpWitnessOptions) {
    const { url, key, timeoutMs, clock } = resolveOptions<HttpWitnessOptions, 'url' | 'key'>(
      OWNER,
      options,
      { timeoutMs: 10_000, clock: systemClock },
      {
        url: textRule,
        key: textRule,
        timeoutMs: numberRule({ min: 1, infinite: false }),
        clock: clockRule,
      },
    );
    this.#url = httpUrl(OWNER, url);
    this.verifierKey = key as string;
    this.name = cosignatureVerifier(this.verifierKey).name;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
  }

  async cosign(
    note: string,
    prove: (from: number) => Promise<readonly NodeHash[]>,
  ): Promise<Cosignature> {
    const { origin, size } = parseCheckpoint(note);
    for (let request = 1; request <= MAX_REQUESTS; request++) {
      const old = Math.min(this.#sizes.get(origin) ?? 0, size);
      const proof = old === 0 || old === size ? [] : await prove(old);
      const answer = await this.#send('add-checkpoint', formatAddCheckpoint({ old, proof, note }));
      if (answer.status === 200) {
        const cosignature = this.#read(note, answer.body);
        this.#sizes.set(origin, size);
        return cosignature;
      }
      if (answer.status !== 409) throw this.#refusal(answer);
      const seen = this.#seen(answer);
      if (seen > size) {
        const what = `it has seen ${seen} events, but the checkpoint covers only ${size}: the log was rolled back`;
        throw new WitnessError(this.name, 'rollback', what);
      }
      if (seen === old) {
        const what = `it has cosigned another checkpoint over ${size} events: the log was rewritten`;
        throw new WitnessError(this.name, 'fork', what);
      }
      this.#sizes.set(origin, seen);
    }
    throw new WitnessError(this.name, 'hostile', 'it keeps naming other sizes');
  }

  /** The cosignature in an answer: other lines and those of other keys are ignored. */
  #read(note: string, lines: string): Cosignature {
    const { text } = splitNote(note);
    let found: Cosignature | undefined;
    try {
      // Only the answer's lines: a cosignature that the note had before is no answer.
      [found] = cosignaturesOf(`${text}\n${lines}`, [cosignatureVerifier(this.verifierKey)]);
    } catch {
      found = undefined;
    }
    if (found !== undefined) return found;
    throw new WitnessError(
      this.name,
      'hostile',
      'its answer has no valid cosignature of its key on the checkpoint',
    );
  }

  #seen({ type, body }: BoundedAnswer): number {
    const size = parseSize(body.endsWith('\n') ? body.slice(0, -1) : '');
    if (size !== undefined && type.startsWith('text/x.tlog.size')) return size;
    throw new WitnessError(this.name, 'hostile', 'its answer 409 does not name a size');
  }

  #refusal({ status, body }: BoundedAnswer): WitnessError {
    const said = `it answered ${status}: ${safeText(body.trim(), MAX_QUOTE)}`;
    if (status === 422) {
      const what = `${said}; the log was rewritten, or its stored checkpoints are wrong`;
      return new WitnessError(this.name, 'fork', what);
    }
    const refused = status === 400 || status === 403 || status === 404;
    return new WitnessError(this.name, refused ? 'refused' : 'unavailable', said);
  }

  async last(origin: string): Promise<string | undefined> {
    const answer = await this.#send(`checkpoint/${hash('sha256', origin)}`);
    if (answer.status === 200) return answer.body;
    if (answer.status === 404 || answer.status === 405) return undefined;
    throw this.#refusal(answer);
  }

  async #send(path: string, body?: string): Promise<BoundedAnswer> {
    const init = body === undefined ? {} : { method: 'POST', body };
    const bounds = {
      clock: this.#clock,
      timeoutMs: this.#timeoutMs,
      maxBytes: MAX_ANSWER_BYTES,
    };
    try {
      return await boundedFetch(`${this.#url}/${path}`, init, bounds);
    } catch (error) {
      const what = `it cannot be reached: ${messageOf(error)}`;
      throw new WitnessError(this.name, 'unavailable', what, error);
    }
  }
}

function splitNote(note: string): { readonly text: string } {
  return { text: note.slice(0, note.lastIndexOf('\n\n') + 1) };
}
