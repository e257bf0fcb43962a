import { decodeBase64 } from '../chain/base64.ts';
import { FORMAT, parseLine } from '../chain/hash-chain.ts';
import { decodeFrontier, leafOf, MerkleFrontier, type NodeHash } from '../chain/merkle.ts';
import {
  consistencyRanges,
  inclusionRanges,
  type LeafRange,
  RangeHasher,
  verifyConsistency,
  verifyInclusion,
} from '../chain/merkle-proof.ts';
import type { AuditSource } from '../sinks/sink.ts';

/** What a proof was made by. A verifier rejects what it does not know. */
interface ProofFormat {
  /** Version of the format. */
  readonly v: 2;
  /** Hash algorithm of the tree. */
  readonly algorithm: 'sha256';
  /** Identifier of the log; empty for the empty log. */
  readonly log: string;
}

/**
 * Proves that an event is in a log to a verifier who has only a checkpoint and the hash of the event.
 * The log and the other events need not be disclosed.
 */
export interface InclusionProof extends ProofFormat {
  /** Sequence of the event. */
  readonly sequence: number;
  /** Hash of the event, hexadecimal. */
  readonly hash: string;
  /** Size of the tree, equal to the size of the checkpoint. */
  readonly size: number;
  /** Root of the tree, base64, as in the checkpoint. */
  readonly root: string;
  /** Hashes of the proof, base64, from the leaf to the root. */
  readonly nodes: readonly string[];
}

/** Proves that a log was only appended to between two checkpoints. */
export interface ConsistencyProof extends ProofFormat {
  readonly from: number;
  readonly fromRoot: string;
  readonly to: number;
  readonly toRoot: string;
  readonly nodes: readonly string[];
}

/**
 * Proves that an event is in the log.
 *
 * @param size size of the checkpoint
 * @throws {RangeError} if the log does not have the event or size, or retention has removed needed events
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-2.1.1
 */
export async function proveInclusion(
  source: AuditSource,
  sequence: number,
  size: number,
): Promise<InclusionProof> {
  const ranges = inclusionRanges(sequence - 1, size);
  const { nodes, roots, hash, log } = await hashRanges(source, ranges, [size], sequence);
  return {
    ...format(log),
    sequence,
    hash,
    size,
    root: encode(roots[0] as NodeHash),
    nodes: nodes.map(encode),
  };
}

/** Whether a proof is valid for its own root. The caller must compare that root with a checkpoint. */
export function checkInclusion(proof: InclusionProof): boolean {
  const { sequence, hash, size, root, nodes } = proof;
  if (!isKnown(proof) || !(sequence >= 1 && sequence <= size)) return false;
  return valid(() =>
    verifyInclusion(sequence - 1, size, leafOf(hash), nodes.map(decodeBase64), decodeBase64(root)),
  );
}

/**
 * Proves that the log at one size is a prefix of the log at another.
 *
 * @throws {RangeError} if the log does not have the sizes, or retention has removed needed events
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-2.1.2
 */
export async function proveConsistency(
  source: AuditSource,
  from: number,
  to: number,
): Promise<ConsistencyProof> {
  const { nodes, roots, log } = await hashRanges(source, consistencyRanges(from, to), [from, to]);
  const [fromRoot, toRoot] = roots.map(encode) as [string, string];
  return { ...format(log), from, fromRoot, to, toRoot, nodes: nodes.map(encode) };
}

/** Whether a proof is valid for its own roots. The caller must compare them with checkpoints. */
export function checkConsistency(proof: ConsistencyProof): boolean {
  const { from, fromRoot, to, toRoot, nodes } = proof;
  if (!isKnown(proof) || !(from >= 0 && from <= to)) return false;
  return valid(() =>
    verifyConsistency(
      from,
      to,
      decodeBase64(fromRoot),
      decodeBase64(toRoot),
      nodes.map(decodeBase64),
    ),
  );
}

function format(log: string): ProofFormat {
  return { v: FORMAT, algorithm: 'sha256', log };
}

function isKnown({ v, algorithm }: ProofFormat): boolean {
  return v === FORMAT && algorithm === 'sha256';
}

/** A proof that cannot be decoded is not valid. */
function valid(check: () => boolean): boolean {
  try {
    return check();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return false;
    throw error;
  }
}

/** Computes, in one pass over the log, roots of ranges, roots at sizes, and the hash of one event. */
async function hashRanges(
  source: AuditSource,
  ranges: readonly LeafRange[],
  sizes: readonly number[],
  wanted?: number,
): Promise<{
  readonly nodes: readonly NodeHash[];
  readonly roots: readonly NodeHash[];
  readonly hash: string;
  readonly log: string;
}> {
  const anchor = await source.anchor();
  const pruned = decodeFrontier(anchor?.sequence ?? 0, anchor?.frontier ?? []);
  const hasher = new RangeHasher(ranges, pruned);
  const whole = pruned.clone();
  const roots = new Map<number, NodeHash>([[0, new MerkleFrontier().root()]]);
  roots.set(whole.size, whole.root());
  const last = Math.max(...sizes);
  let hash = '';
  let log = anchor?.log ?? '';
  for await (const lines of source.read({ to: last })) {
    for (const line of lines) {
      const event = parseLine(line);
      ({ log } = event);
      const leaf = leafOf(event.hash);
      hasher.append(leaf);
      whole.append(leaf);
      if (sizes.includes(whole.size)) roots.set(whole.size, whole.root());
      if (event.sequence === wanted) ({ hash } = event);
    }
  }
  const nodes = hasher.roots();
  return {
    nodes,
    hash,
    log,
    roots: sizes.map((size) => {
      const root = roots.get(size);
      if (root === undefined) throw new RangeError(`The log has no state with ${size} events.`);
      return root;
    }),
  };
}

function encode(node: NodeHash): string {
  return node.toString('base64');
}
