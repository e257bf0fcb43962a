import { parseCheckpoint } from '../../chain/checkpoint.ts';
import { openNote, parseNote } from '../../chain/signed-note.ts';
import { noteVerifier } from '../../chain/signing-key.ts';
import type { Anchor } from '../../sinks/sink.ts';
import { storedAnchor } from '../../sinks/stored-state.ts';
import { cosignatureVerifier } from '../../witness/cosignature.ts';
import type { LogPart } from '../log-part.ts';
import { type ConsistencyProof, checkConsistency } from '../proofs.ts';
import { ArchiveError } from './archive.ts';

/** What the first file of a bundle says, in this order. */
export interface Manifest {
  readonly format: typeof MANIFEST_FORMAT;
  /** Identifier of the log. */
  readonly log: string;
  /** Sequences of the first and last event. */
  readonly from: number;
  readonly to: number;
  /** The event before the first one, with the Merkle frontier there; null if the bundle begins with event 1. */
  readonly before: Anchor | null;
  /** Signed checkpoints, with the cosignatures that they had, smallest first. */
  readonly checkpoints: readonly string[];
  /** For every checkpoint that is not inside of the range, the proof between it and the end of the range. */
  readonly proofs: readonly ConsistencyProof[];
  /** Verifier keys of the log and of witnesses, for information: a verifier needs keys of its own. */
  readonly keys: readonly string[];
  readonly witnessKeys: readonly string[];
}

export const MANIFEST_FORMAT = 'temper-audit evidence v1';
/** Largest size of a manifest in bytes. */
export const MAX_MANIFEST_BYTES: number = 16 * 1024 * 1024;

/** The text of a manifest: one for one content. */
export function manifestText(manifest: Manifest): string {
  const { format, log, from, to, before, checkpoints, proofs, keys, witnessKeys } = manifest;
  const anchor = before && {
    sequence: before.sequence,
    hash: before.hash,
    log: before.log,
    frontier: before.frontier,
  };
  const each = proofs.map(({ v, algorithm, log: of, ...proof }) => ({
    v,
    algorithm,
    log: of,
    from: proof.from,
    fromRoot: proof.fromRoot,
    to: proof.to,
    toRoot: proof.toRoot,
    nodes: proof.nodes,
  }));
  const ordered = { format, log, from, to, before: anchor, checkpoints, proofs: each };
  return `${JSON.stringify({ ...ordered, keys, witnessKeys }, null, 1)}\n`;
}

/**
 * Parses a manifest. Its proofs are not verified, its signatures only with its own keys.
 *
 * @throws {ArchiveError} unless it is the text of a manifest
 */
export function parseManifest(text: string): Manifest {
  const fail = (what: string): never => {
    throw new ArchiveError(`its manifest ${what}`);
  };
  let value: Partial<Record<keyof Manifest, unknown>>;
  try {
    value = { ...(JSON.parse(text) as object) };
  } catch {
    return fail('is not JSON');
  }
  if (value.format !== MANIFEST_FORMAT) return fail('has a format that this version does not know');
  const { log, from, to, before } = value;
  const texts = [value.checkpoints, value.keys, value.witnessKeys];
  if (
    typeof log !== 'string' ||
    !(isCount(from) && isCount(to) && from >= 1 && to >= from) ||
    !texts.every((list) => isList(list, (item) => typeof item === 'string')) ||
    !isList(value.proofs, (proof) => isProof(proof, log))
  ) {
    return fail('has a field of the wrong type');
  }
  const anchor = before === null ? null : storedAnchor('evidence', 'the bundle', before);
  const begins = anchor === null ? from === 1 : anchor.sequence === from - 1 && anchor.log === log;
  if (!begins || (anchor !== null && anchor.frontier === undefined)) {
    return fail('does not say what comes before the first event');
  }
  const manifest = { ...value, before: anchor } as Manifest;
  // One text for one content: a second field of a name, or white space, is refused.
  if (manifestText(manifest) !== text) return fail('is not in its only form');
  try {
    for (const note of manifest.checkpoints) checkOwnSignatures(note, manifest);
  } catch (error) {
    return fail(`has a checkpoint that is invalid: ${(error as Error).message}`);
  }
  return manifest;
}

/** What the manifest says about its events, as a verification needs it. */
export function partOf({ log, from, to, proofs }: Manifest): LogPart {
  const proofTo = (size: number): ConsistencyProof | undefined => {
    if (size >= from - 1 && size <= to) return undefined;
    return proofs.find((proof) => size === (size < from ? proof.from : proof.to));
  };
  return {
    log,
    to,
    reaches: (size) => proofTo(size) !== undefined,
    proves: (size, root, end) => {
      const proof = proofTo(size);
      if (proof === undefined || !checkConsistency(proof)) return false;
      const [own, last] = [root.toString('base64'), end.root().toString('base64')];
      return size < from
        ? proof.fromRoot === own && proof.to === end.size && proof.toRoot === last
        : proof.toRoot === own && proof.from === end.size && proof.fromRoot === last;
    },
  };
}

/** @throws {TypeError} if a checkpoint is malformed, or is not signed by a key of the bundle, if it has keys */
function checkOwnSignatures(note: string, { keys, witnessKeys }: Manifest): void {
  parseCheckpoint(note);
  if (keys.length > 0) openNote(note, keys.map(noteVerifier));
  const { signatures } = parseNote(note);
  const witnesses = witnessKeys
    .map(cosignatureVerifier)
    .filter(({ name, keyId }) =>
      signatures.some((line) => line.name === name && line.keyId === keyId),
    );
  if (witnesses.length > 0) openNote(note, witnesses);
}

function isProof(value: unknown, of: string): boolean {
  const { v, algorithm, log, from, fromRoot, to, toRoot, nodes } = (value ?? {}) as Partial<
    Record<string, unknown>
  >;
  return (
    v === 2 &&
    algorithm === 'sha256' &&
    log === of &&
    [fromRoot, toRoot].every((text) => typeof text === 'string') &&
    isCount(from) &&
    isCount(to) &&
    isList(nodes, (node) => typeof node === 'string')
  );
}

function isList(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isItem);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
