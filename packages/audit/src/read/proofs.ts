import { parseLine } from '../chain/hash-chain.ts';
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

/**
 * Shows that an event is in a log, to somebody who has only a checkpoint of it and the event's hash:
 * neither the log nor the other events have to be disclosed.
 */
export interface InclusionProof {
  /** The event's place. */
  readonly sequence: number;
  /** The event's hash, hexadecimal. */
  readonly hash: string;
  /** Size of the tree, which is that of the checkpoint it is held against. */
  readonly size: number;
  /** Root of the tree, base64, as it stands in the checkpoint. */
  readonly root: string;
  /** Hashes of the proof, base64, from the leaf up. */
  readonly nodes: readonly string[];
}

/** Shows that a log has only been added to between two checkpoints. */
export interface ConsistencyProof {
  readonly from: number;
  readonly fromRoot: string;
  readonly to: number;
  readonly toRoot: string;
  readonly nodes: readonly string[];
}

/**
 * Proves that an event is in the log.
 *
 * @param size size of the checkpoint to prove against
 * @throws {RangeError} when the log has no such event or size, or retention has removed what it takes
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-2.1.1
 */
export async function proveInclusion(
  source: AuditSource,
  sequence: number,
  size: number,
): Promise<InclusionProof> {
  const ranges = inclusionRanges(sequence - 1, size);
  const { nodes, roots, hash } = await hashRanges(source, ranges, [size], sequence);
  return { sequence, hash, size, root: encode(roots[0] as NodeHash), nodes: nodes.map(encode) };
}

/** Whether a proof shows its event to be in the tree with its root. Compare that root yourself. */
export function checkInclusion({ sequence, hash, size, root, nodes }: InclusionProof): boolean {
  if (!(sequence >= 1 && sequence <= size)) return false;
  return verifyInclusion(sequence - 1, size, leafOf(hash), nodes.map(decode), decode(root));
}

/**
 * Proves that the log of one size is the beginning of the log of another.
 *
 * @throws {RangeError} when the log has no such sizes, or retention has removed what it takes
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-2.1.2
 */
export async function proveConsistency(
  source: AuditSource,
  from: number,
  to: number,
): Promise<ConsistencyProof> {
  const { nodes, roots } = await hashRanges(source, consistencyRanges(from, to), [from, to]);
  const [fromRoot, toRoot] = roots.map(encode) as [string, string];
  return { from, fromRoot, to, toRoot, nodes: nodes.map(encode) };
}

/** Whether a proof shows one root to be the beginning of the other. Compare the roots yourself. */
export function checkConsistency({ from, fromRoot, to, toRoot, nodes }: ConsistencyProof): boolean {
  if (!(from >= 0 && from <= to)) return false;
  return verifyConsistency(from, to, decode(fromRoot), decode(toRoot), nodes.map(decode));
}

/** One pass over the log: roots of ranges, roots of the whole at some sizes, and one event's hash. */
async function hashRanges(
  source: AuditSource,
  ranges: readonly LeafRange[],
  sizes: readonly number[],
  wanted?: number,
): Promise<{
  readonly nodes: readonly NodeHash[];
  readonly roots: readonly NodeHash[];
  readonly hash: string;
}> {
  const anchor = await source.anchor();
  const pruned = decodeFrontier(anchor?.sequence ?? 0, anchor?.frontier ?? []);
  const hasher = new RangeHasher(ranges, pruned);
  const whole = pruned.clone();
  const roots = new Map<number, NodeHash>([[0, new MerkleFrontier().root()]]);
  roots.set(whole.size, whole.root());
  const last = Math.max(...sizes);
  let hash = '';
  for await (const lines of source.read({ to: last })) {
    for (const line of lines) {
      const event = parseLine(line);
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
    roots: sizes.map((size) => {
      const root = roots.get(size);
      if (root === undefined)
        throw new RangeError(`The log has no state of ${size} events to prove.`);
      return root;
    }),
  };
}

function encode(node: NodeHash): string {
  return node.toString('base64');
}

function decode(text: string): NodeHash {
  return Buffer.from(text, 'base64');
}
