import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { numberRule, type Resolved, resolveOptions, safeText } from '@temper/core/policy';
import { openCheckpoint, parseCheckpoint } from '../../chain/checkpoint.ts';
import { FORMAT, parseLine } from '../../chain/hash-chain.ts';
import { type KeyRotation, rotationOf } from '../../chain/key-rotation.ts';
import { decodeFrontier, encodeFrontier, leafOf, type MerkleFrontier } from '../../chain/merkle.ts';
import { consistencyRanges, RangeHasher } from '../../chain/merkle-proof.ts';
import { type NoteVerifier, noteVerifier } from '../../chain/signing-key.ts';
import { AuditCorruptError } from '../../errors.ts';
import { textsRule } from '../../option-rules.ts';
import type { Anchor, AuditSource } from '../../sinks/sink.ts';
import { cosignatureVerifier } from '../../witness/cosignature.ts';
import type { ConsistencyProof } from '../proofs.ts';
import { ARCHIVE_END, fileHeader, padding } from './archive.ts';
import { MANIFEST_FORMAT, MAX_MANIFEST_BYTES, type Manifest, manifestText } from './manifest.ts';

/** Names of the two files of a bundle, in this order. */
export const BUNDLE_FILES = { manifest: 'evidence.json', events: 'events.jsonl' } as const;

/** Options of {@link evidenceBundle}. */
export interface BundleOptions {
  /** Sequence of the first event. @defaultValue the oldest one */
  readonly from?: number;
  /** Sequence of the last event. @defaultValue the newest one */
  readonly to?: number;
  /**
   * Signed checkpoints from elsewhere to add to those of the log: the one that the recipient has, or those
   * that witnesses have cosigned.
   */
  readonly checkpoints?: readonly string[];
  /** Verifier keys of the log, for information. If there are any, only checkpoints of these keys are included. */
  readonly keys?: readonly string[];
  /** Verifier keys of witnesses, for information. */
  readonly witnessKeys?: readonly string[];
}

type Unset = Exclude<keyof BundleOptions, 'from' | 'to'>;

/**
 * The bytes of an evidence bundle, a `.tgz` file: events of a log with the checkpoints that cover them and
 * the proofs that lead there, which {@link verifyBundle} verifies without the log. The same events and
 * checkpoints give the same bytes. Reads the log twice, in constant memory.
 *
 * The checkpoints are those that the log has stored within the range, the next one and the last one, and the
 * given ones.
 *
 * @throws {TypeError | RangeError} (with the first bytes) if an option is invalid, or the log does not have
 *   the events or what a proof needs, or no checkpoint of the given keys covers the range because a key was
 *   replaced
 * @throws {AuditCorruptError} if the log does not match one of the checkpoints
 */
export async function* evidenceBundle(
  source: AuditSource,
  options: BundleOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const sequence = numberRule({ min: 1, integer: true });
  const all = resolveOptions<BundleOptions, Unset>(
    'bundle',
    options,
    { from: 1, to: Number.POSITIVE_INFINITY },
    {
      from: sequence,
      to: sequence,
      checkpoints: textsRule,
      keys: textsRule,
      witnessKeys: textsRule,
    },
  );
  const gzip = createGzip();
  // Errors of either stream end the loop below, so the callback has nothing to do.
  pipeline(Readable.from(archive(source, all)), gzip, () => undefined);
  for await (const chunk of gzip) yield chunk as Buffer;
}

async function* archive(
  source: AuditSource,
  options: Resolved<BundleOptions, Unset>,
): AsyncGenerator<Buffer, void, undefined> {
  const { manifest, bytes } = await surveyed(source, options);
  const text = Buffer.from(manifestText(manifest));
  if (text.length > MAX_MANIFEST_BYTES) {
    throw new RangeError(
      'The range has more checkpoints than a bundle holds; choose a smaller one.',
    );
  }
  yield fileHeader(BUNDLE_FILES.manifest, text.length);
  yield Buffer.concat([text, padding(text.length)]);
  yield fileHeader(BUNDLE_FILES.events, bytes);
  const { from, to } = manifest;
  let written = 0;
  for await (const lines of source.read({ from, to })) {
    const block = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    written += block.length;
    yield block;
  }
  if (written !== bytes) throw changed(source);
  yield Buffer.concat([padding(bytes), ARCHIVE_END]);
}

/** The first pass: what comes before the events. */
async function surveyed(
  source: AuditSource,
  {
    checkpoints: given = [],
    keys = [],
    witnessKeys = [],
    ...range
  }: Resolved<BundleOptions, Unset>,
): Promise<{ readonly manifest: Manifest; readonly bytes: number }> {
  for (const key of witnessKeys) cosignatureVerifier(key);
  const anchor = await source.anchor();
  const begin = anchor?.sequence ?? 0;
  const from = Math.max(range.from, range.from === 1 ? begin + 1 : 1);
  const to = Math.min(
    range.to,
    range.to === Number.POSITIVE_INFINITY ? await last(source) : range.to,
  );
  if (from <= begin || to < from) {
    throw new RangeError(
      `The log has no events ${from} to ${to}${begin > 0 ? `: those up to ${begin} were removed` : ''}.`,
    );
  }
  const notes = await chosen(source, given, keys.map(noteVerifier), from, to);
  const survey = new Survey(source, anchor, from, to, notes);
  await survey.read();
  const lacking = survey.rotations.find((one) => keys.includes(one.from) && !keys.includes(one.to));
  if (lacking !== undefined && !notes.some(({ size }) => size >= to)) {
    throw new RangeError(
      `No checkpoint of the given keys covers event ${to}: event ${lacking.sequence} replaces one by '${safeText(lacking.to)}'; give that key too.`,
    );
  }
  return {
    bytes: survey.bytes,
    manifest: {
      format: MANIFEST_FORMAT,
      log: survey.log,
      from,
      to,
      before: survey.before,
      checkpoints: notes.map(({ note }) => note),
      proofs: survey.proofs(),
      keys,
      witnessKeys,
    },
  };
}

interface ChosenCheckpoint {
  readonly note: string;
  readonly size: number;
  readonly root: Buffer;
}

/** The stored checkpoints within the range, the next and the last one, and the given ones, smallest first. */
async function chosen(
  source: AuditSource,
  given: readonly string[],
  verifiers: readonly NoteVerifier[],
  from: number,
  to: number,
): Promise<readonly ChosenCheckpoint[]> {
  const stored = (await source.checkpoints()).filter(
    ({ size, note }) => size >= from && (verifiers.length === 0 || isSigned(note, verifiers)),
  );
  if (verifiers.length > 0) for (const note of given) openCheckpoint(note, verifiers);
  const after = stored.filter(({ size }) => size >= to);
  const wanted = stored.filter((one) => one.size <= to || one === after[0] || one === after.at(-1));
  const notes = new Set([...wanted.map(({ note }) => note), ...given]);
  return [...notes]
    .map((note) => ({ note, ...parseCheckpoint(note) }))
    .sort((a, b) => a.size - b.size);
}

function isSigned(note: string, verifiers: readonly NoteVerifier[]): boolean {
  try {
    openCheckpoint(note, verifiers);
    return true;
  } catch {
    return false; // whoever can write to the store may have left it there
  }
}

/** Computes everything that a bundle says about its events, in one pass over the log. */
class Survey {
  /** Of the lines of the range, with their line breaks. */
  bytes = 0;
  log = '';
  before: Anchor | null = null;
  /** Statements that keys are replaced. */
  readonly rotations: KeyRotation[] = [];
  readonly #source: AuditSource;
  readonly #from: number;
  readonly #to: number;
  readonly #checkpoints: readonly ChosenCheckpoint[];
  readonly #frontier: MerkleFrontier;
  readonly #outside: readonly {
    readonly size: number;
    readonly hasher: RangeHasher;
  }[];
  readonly #roots: Map<number, string> = new Map();
  #hash: string;

  constructor(
    source: AuditSource,
    anchor: Anchor | undefined,
    from: number,
    to: number,
    checkpoints: readonly ChosenCheckpoint[],
  ) {
    this.#source = source;
    this.#from = from;
    this.#to = to;
    this.#checkpoints = checkpoints;
    this.#frontier = decodeFrontier(anchor?.sequence ?? 0, anchor?.frontier ?? []);
    this.#hash = anchor?.hash ?? '';
    this.log = anchor?.log ?? '';
    const sizes = new Set(checkpoints.map(({ size }) => size));
    this.#outside = [...sizes]
      .filter((size) => size < from - 1 || size > to)
      .map((size) => {
        const ranges = consistencyRanges(Math.min(size, to), Math.max(size, to));
        return { size, hasher: new RangeHasher(ranges, this.#frontier) };
      });
  }

  async read(): Promise<void> {
    this.#reached();
    const end = Math.max(this.#to, ...this.#checkpoints.map(({ size }) => size));
    for await (const lines of this.#source.read({ to: end })) {
      for (const line of lines) this.#step(line);
    }
    if (this.#frontier.size < this.#to) {
      throw new RangeError(`The log ends at event ${this.#frontier.size}.`);
    }
    for (const { size } of this.#checkpoints)
      if (!this.#roots.has(size)) throw this.#mismatch(size);
  }

  #step(line: string): void {
    const event = parseLine(line);
    const { sequence, hash, log } = event;
    if (sequence !== this.#frontier.size + 1) throw changed(this.#source);
    this.log = log;
    this.#hash = hash;
    const rotation = rotationOf(event);
    if (rotation !== undefined) this.rotations.push(rotation);
    const leaf = leafOf(hash);
    this.#frontier.append(leaf);
    for (const { hasher } of this.#outside) hasher.append(leaf);
    if (sequence >= this.#from && sequence <= this.#to) this.bytes += Buffer.byteLength(line) + 1;
    this.#reached();
  }

  #reached(): void {
    const { size } = this.#frontier;
    if (size === this.#from - 1 && size > 0) {
      const frontier = encodeFrontier(this.#frontier);
      this.before = { sequence: size, hash: this.#hash, log: this.log, frontier };
    }
    const here = this.#checkpoints.filter((one) => one.size === size);
    if (here.length === 0 && size !== this.#to) return;
    const root = this.#frontier.root();
    if (here.some((one) => !one.root.equals(root))) throw this.#mismatch(size);
    this.#roots.set(size, root.toString('base64'));
  }

  proofs(): readonly ConsistencyProof[] {
    return this.#outside.map(({ size, hasher }) => {
      const [from, to] = [Math.min(size, this.#to), Math.max(size, this.#to)];
      const root = (at: number): string => this.#roots.get(at) as string;
      const nodes = hasher.roots().map((node) => node.toString('base64'));
      const format = { v: FORMAT, algorithm: 'sha256', log: this.log } as const;
      return { ...format, from, fromRoot: root(from), to, toRoot: root(to), nodes };
    });
  }

  #mismatch(size: number): AuditCorruptError {
    const what = `it does not match the checkpoint over ${size} events`;
    return new AuditCorruptError(this.#source.name, this.#source.name, size, what);
  }
}

function changed({ name }: AuditSource): Error {
  return new AuditCorruptError(
    name,
    name,
    undefined,
    'its events are not in order, or it was changed while it was read',
  );
}

/** The last sequence of a log. */
async function last(source: AuditSource): Promise<number> {
  for await (const [line] of source.read({ reverse: true })) {
    return line === undefined ? 0 : parseLine(line).sequence;
  }
  return 0;
}
