import { openCheckpoint, parseCheckpoint } from '../chain/checkpoint.ts';
import { parseLine } from '../chain/hash-chain.ts';
import { decodeFrontier, leafOf, type MerkleFrontier, type NodeHash } from '../chain/merkle.ts';
import { consistencyRanges, RangeHasher } from '../chain/merkle-proof.ts';
import type { NoteVerifier } from '../chain/signing-key.ts';
import type { AuditSource } from '../sinks/sink.ts';

/**
 * The hashes that prove that the log at one size is a prefix of the log at another. Reads only the events
 * between them if the log has a signed checkpoint at the smaller size, and otherwise all of them.
 *
 * @throws {RangeError} if the log does not have the sizes, or retention has removed needed events
 */
export async function consistencyNodes(
  source: AuditSource,
  from: number,
  to: number,
  verifiers: readonly NoteVerifier[],
): Promise<readonly NodeHash[]> {
  const known = (await frontierAt(source, from, verifiers)) ?? (await oldest(source));
  const hasher = new RangeHasher(consistencyRanges(from, to), known);
  let next = known.size + 1;
  for await (const lines of source.read({ from: next, to })) {
    for (const line of lines) {
      const { sequence, hash } = parseLine(line);
      if (sequence !== next) throw new RangeError(`The log has no event ${next}.`);
      hasher.append(leafOf(hash));
      next++;
    }
  }
  return hasher.roots();
}

/** The frontier that is stored with a checkpoint, if the checkpoint vouches for it. */
async function frontierAt(
  source: AuditSource,
  size: number,
  verifiers: readonly NoteVerifier[],
): Promise<MerkleFrontier | undefined> {
  for (const stored of await source.checkpoints()) {
    if (stored.size !== size) continue;
    try {
      openCheckpoint(stored.note, verifiers);
      const frontier = decodeFrontier(size, stored.frontier);
      if (frontier.root().equals(parseCheckpoint(stored.note).root)) return frontier;
    } catch {
      // Not signed by the log, or damaged: the events are read instead.
    }
  }
  return undefined;
}

/** The frontier of the events that retention has removed. */
async function oldest(source: AuditSource): Promise<MerkleFrontier> {
  const anchor = await source.anchor();
  return decodeFrontier(anchor?.sequence ?? 0, anchor?.frontier ?? []);
}
