import { MerkleFrontier, type NodeHash, nodeHash } from './merkle.ts';

/** Leaves `[start, end)`, whose root is part of a proof. */
export interface LeafRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The subtrees whose roots prove that leaf `index` is in the tree of `size` leaves, in the order of
 * the proof (from the leaf up): `PATH(m, D[n])`.
 *
 * @throws {RangeError} unless `0 <= index < size`
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-2.1.1
 */
export function inclusionRanges(index: number, size: number): readonly LeafRange[] {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) {
    throw new RangeError(`Leaf ${index} is not in a tree of ${size} leaves.`);
  }
  const ranges: LeafRange[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + splitPoint(end - start);
    if (index < middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  return ranges.reverse();
}

/**
 * The subtrees whose roots prove that the tree of `from` leaves is a prefix of the tree of `to`
 * leaves, in the order of the proof: `PROOF(m, D[n])`. Empty if the sizes are equal or `from` is 0.
 *
 * @throws {RangeError} unless `0 <= from <= to`
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-2.1.2
 */
export function consistencyRanges(from: number, to: number): readonly LeafRange[] {
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 0 || from > to) {
    throw new RangeError(`A tree of ${from} leaves cannot be a prefix of a tree of ${to} leaves.`);
  }
  if (from === 0 || from === to) return [];
  const ranges: LeafRange[] = [];
  let start = 0;
  let end = to;
  while (end !== from) {
    const middle = start + splitPoint(end - start);
    if (from <= middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  // If the old tree is a subtree of the new one, the verifier already knows its root.
  if (start !== 0) ranges.push({ start, end });
  return ranges.reverse();
}

/** The largest power of two smaller than `size`: the size of the left subtree. */
function splitPoint(size: number): number {
  let split = 1;
  while (split * 2 < size) split *= 2;
  return split;
}

/**
 * Computes the roots of several ranges in one pass over the leaves, in memory that grows with the
 * number of ranges and the logarithm of their sizes only.
 */
export class RangeHasher {
  readonly #ranges: readonly LeafRange[];
  readonly #frontiers: readonly MerkleFrontier[];
  #next: number;

  /**
   * @param ranges the ranges, in any order; they must not overlap
   * @param pruned frontier of the leaves that retention has removed
   * @throws {RangeError} if a range needs removed leaves
   */
  constructor(ranges: readonly LeafRange[], pruned: MerkleFrontier = new MerkleFrontier()) {
    this.#ranges = ranges;
    this.#next = pruned.size;
    this.#frontiers = ranges.map((range) => seed(range, pruned));
  }

  /** Adds the next leaf. */
  append(leaf: NodeHash): void {
    const index = this.#next++;
    for (let i = 0; i < this.#ranges.length; i++) {
      const { start, end } = this.#ranges[i] as LeafRange;
      if (index >= start && index < end) {
        (this.#frontiers[i] as MerkleFrontier).append(leaf);
        return;
      }
    }
  }

  /**
   * The roots, in the order of the ranges.
   *
   * @throws {RangeError} if leaves are missing
   */
  roots(): readonly NodeHash[] {
    return this.#ranges.map(({ start, end }, i) => {
      const frontier = this.#frontiers[i] as MerkleFrontier;
      if (frontier.size !== end - start) {
        throw new RangeError(`The log ends before leaf ${end - 1}, which the proof needs.`);
      }
      return frontier.root();
    });
  }
}

/** The part of a range that the frontier of the removed leaves covers. */
function seed({ start, end }: LeafRange, pruned: MerkleFrontier): MerkleFrontier {
  if (start >= pruned.size) return new MerkleFrontier();
  const inside: NodeHash[] = [];
  let covered = 0;
  let at = 0;
  let span = 2 ** Math.floor(Math.log2(pruned.size));
  for (const node of pruned.nodes) {
    while (at + span > pruned.size) span /= 2;
    if (at >= start && at + span <= end) {
      inside.push(node);
      covered += span;
    }
    at += span;
  }
  if (covered !== Math.min(end, pruned.size) - start) {
    throw new RangeError(
      `Leaves ${start} to ${end - 1} are needed, but retention has removed those before ${pruned.size}.`,
    );
  }
  return new MerkleFrontier(covered, inside);
}

/**
 * The root computed from an inclusion proof.
 *
 * @returns undefined if the proof has the wrong length for this index and size
 * @see https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3.2
 */
function rootFromInclusion(
  index: number,
  size: number,
  leaf: NodeHash,
  proof: readonly NodeHash[],
): NodeHash | undefined {
  const ranges = inclusionRanges(index, size);
  if (ranges.length !== proof.length) return undefined;
  let node = leaf;
  ranges.forEach(({ end }, i) => {
    const sibling = proof[i] as NodeHash;
    node = end <= index ? nodeHash(sibling, node) : nodeHash(node, sibling);
  });
  return node;
}

/** Whether the proof shows that the leaf is at `index` in the tree with this size and root. */
export function verifyInclusion(
  index: number,
  size: number,
  leaf: NodeHash,
  proof: readonly NodeHash[],
  root: NodeHash,
): boolean {
  return rootFromInclusion(index, size, leaf, proof)?.equals(root) ?? false;
}

/**
 * Whether the proof shows that the tree with `from` leaves and root `fromRoot` is a prefix of the tree
 * with `to` leaves and root `toRoot`. The empty tree is a prefix of every tree.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9162#section-2.1.4.2
 */
export function verifyConsistency(
  from: number,
  to: number,
  fromRoot: NodeHash,
  toRoot: NodeHash,
  proof: readonly NodeHash[],
): boolean {
  const ranges = consistencyRanges(from, to);
  if (ranges.length !== proof.length) return false;
  if (from === 0) return true;
  if (from === to) return fromRoot.equals(toRoot);
  // The first range ends where the old tree ends, unless the old tree is itself a subtree.
  const seeded = (ranges[0] as LeafRange).end === from;
  let old = seeded ? (proof[0] as NodeHash) : fromRoot;
  let grown = old;
  for (let i = seeded ? 1 : 0; i < proof.length; i++) {
    const sibling = proof[i] as NodeHash;
    const left = (ranges[i] as LeafRange).end <= from;
    grown = left ? nodeHash(sibling, grown) : nodeHash(grown, sibling);
    if (left) old = nodeHash(sibling, old);
  }
  return old.equals(fromRoot) && grown.equals(toRoot);
}
