import { safeText } from '@temper/core/policy';
import { type CheckpointBody, openCheckpoint, type SignedCheckpoint } from '../chain/checkpoint.ts';
import type { AuditEvent } from '../chain/event.ts';
import { parseLine } from '../chain/hash-chain.ts';
import { rotationOf } from '../chain/key-rotation.ts';
import { decodeFrontier, leafOf, type MerkleFrontier } from '../chain/merkle.ts';
import type { NoteVerifier } from '../chain/signing-key.ts';
import { AuditCorruptError } from '../errors.ts';
import type { AuditSource, StoredCheckpoint } from '../sinks/sink.ts';

/** A log that is about to be signed for the first time after a start. */
export interface UnsignedLog {
  /** Name of the log. */
  readonly log: string;
  readonly source: AuditSource;
  /** Number of its durable events. */
  readonly durable: number;
  /** Origin of the checkpoints to sign. */
  readonly origin: string;
  /** Whether its identifier was given, so that it cannot be another log. */
  readonly named: boolean;
  readonly verifiers: readonly NoteVerifier[];
  /** Verifier keys of the signers. */
  readonly signers: readonly string[];
  /** Called with the events that are read, so that statements among them are known. */
  readonly observe: (event: AuditEvent) => void;
  /** Returns the last published checkpoint; undefined if none is known from elsewhere. */
  readonly last: (() => Promise<string | undefined>) | undefined;
}

/** The Merkle tree to go on from. */
export interface BegunFrontier {
  readonly frontier: MerkleFrontier;
  /** The checkpoint of an earlier run that the log has stored. */
  readonly stored: SignedCheckpoint | undefined;
}

/**
 * The frontier from which a log is signed, after it was compared with its stored checkpoints and the last
 * published one. Otherwise the signer would sign whatever is in the store.
 *
 * @throws {AuditCorruptError} if the log does not continue them
 */
export async function beginFrontier(unsigned: UnsignedLog): Promise<BegunFrontier> {
  const begun = await restore(unsigned);
  const note = await unsigned.last?.();
  if (note === undefined) {
    if (!unsigned.named) await refuseForeign(unsigned);
    return begun;
  }
  const published = openCheckpoint(note, unsigned.verifiers);
  return { ...begun, frontier: await compared(unsigned, begun.frontier, published) };
}

/** The frontier at the last checkpoint of an earlier run, if one of our keys signed it. */
async function restore(unsigned: UnsignedLog): Promise<BegunFrontier> {
  const { source, durable, log } = unsigned;
  const begin = await oldest(source); // throws if the anchor has no frontier
  const last = (await source.checkpoints()).filter((stored) => isOurs(unsigned, stored)).at(-1);
  if (last === undefined || last.size < begin.size) return { frontier: begin, stored: undefined };
  if (last.size > durable) {
    const what = `a signed checkpoint covers ${last.size} events, but there are only ${durable}`;
    throw new AuditCorruptError(log, source.name, durable + 1, what);
  }
  const body = openCheckpoint(last.note, unsigned.verifiers);
  await refuseReplaced(unsigned, last.size);
  return {
    frontier: decodeFrontier(last.size, last.frontier),
    stored: { note: last.note, body },
  };
}

/**
 * A key signs nothing after the first checkpoint over the statement that it is replaced, so the statement is
 * between that checkpoint and the one before.
 *
 * @throws {AuditCorruptError} if one of our keys has been replaced by another one
 */
async function refuseReplaced(unsigned: UnsignedLog, size: number): Promise<void> {
  const { source, signers } = unsigned;
  const sizes = (await source.checkpoints()).map((stored) => stored.size);
  const before = Math.max(0, ...sizes.filter((one) => one < size));
  for await (const lines of source.read({ from: before + 1, to: size })) {
    for (const line of lines) {
      const rotation = rotationOf(parseLine(line));
      if (rotation === undefined || !signers.includes(rotation.from)) continue;
      const what = `event ${rotation.sequence} has replaced the key '${safeText(rotation.from)}' by '${safeText(rotation.to)}': give the signer of that key`;
      throw refusal(unsigned, rotation.sequence, what);
    }
  }
}

function isOurs(unsigned: UnsignedLog, stored: StoredCheckpoint): boolean {
  const body = openStored(unsigned, stored);
  return (
    body?.origin === unsigned.origin &&
    decodeFrontier(stored.size, stored.frontier).root().equals(body.root)
  );
}

/** The content of a stored checkpoint that one of our keys has signed. */
function openStored(
  { verifiers }: UnsignedLog,
  { note, size }: StoredCheckpoint,
): CheckpointBody | undefined {
  try {
    const body = openCheckpoint(note, verifiers);
    return body.size === size ? body : undefined;
  } catch {
    return undefined;
  }
}

/** @throws {AuditCorruptError} if one of our keys has signed it as another log */
async function refuseForeign(unsigned: UnsignedLog): Promise<void> {
  for (const stored of await unsigned.source.checkpoints()) {
    const { origin = unsigned.origin, size = 0 } = openStored(unsigned, stored) ?? {};
    if (origin === unsigned.origin) continue;
    const what = `its own checkpoint over ${size} events has the origin '${safeText(origin)}': it is another log, or the option origin was changed, which requires the option id`;
    throw refusal(unsigned, size, what);
  }
}

async function compared(
  unsigned: UnsignedLog,
  restored: MerkleFrontier,
  { origin, size, root }: CheckpointBody,
): Promise<MerkleFrontier> {
  const { source, durable, log } = unsigned;
  const refuse = (what: string): AuditCorruptError => refusal(unsigned, size, what);
  if (origin !== unsigned.origin) {
    throw refuse(`the last published checkpoint is of another log, '${safeText(origin)}'`);
  }
  if (size > durable) {
    throw refuse(`a published checkpoint covers ${size} events, but there are only ${durable}`);
  }
  const frontier = restored.size <= size ? restored.clone() : await oldest(source);
  if (frontier.size > size) {
    throw refuse(
      `the published checkpoint over ${size} events cannot be compared, because retention has removed later ones; give a later one`,
    );
  }
  const { observe } = unsigned;
  await extendFrontier(log, source, frontier, () => size, observe);
  if (!frontier.root().equals(root)) {
    throw refuse(`the log does not match the published checkpoint over ${size} events`);
  }
  if (restored.size <= size) return frontier;
  // A checkpoint that was stored and not published: it must continue the published one.
  await extendFrontier(
    log,
    source,
    frontier,
    () => restored.size,
    () => undefined,
  );
  if (!frontier.root().equals(restored.root())) {
    throw refuse(`the log does not match its checkpoint over ${restored.size} events`);
  }
  return restored;
}

function refusal({ log }: UnsignedLog, sequence: number, what: string): AuditCorruptError {
  return new AuditCorruptError(log, log, sequence, `nothing is signed, because ${what}`);
}

/** The frontier of the events that retention has removed. */
async function oldest(source: AuditSource): Promise<MerkleFrontier> {
  const anchor = await source.anchor();
  return decodeFrontier(anchor?.sequence ?? 0, anchor?.frontier ?? []);
}

/**
 * Adds the events that a frontier lacks, from the source, until it has `to` of them.
 *
 * @throws {AuditCorruptError} if one of them cannot be read
 */
export async function extendFrontier(
  log: string,
  source: AuditSource,
  frontier: MerkleFrontier,
  to: () => number,
  observe: (event: AuditEvent) => void,
): Promise<void> {
  const unreadable = (sequence: number): AuditCorruptError =>
    new AuditCorruptError(log, log, sequence, 'the event cannot be read back');
  while (frontier.size < to()) {
    const from = frontier.size + 1;
    for await (const lines of source.read({ from, to: to() })) {
      for (const line of lines) {
        const event = parseLine(line);
        const { sequence, hash } = event;
        if (sequence <= frontier.size) continue; // it has become durable in the meantime
        if (sequence !== frontier.size + 1) throw unreadable(frontier.size + 1);
        frontier.append(leafOf(hash));
        observe(event);
      }
    }
    if (frontier.size < from) throw unreadable(from);
  }
}
