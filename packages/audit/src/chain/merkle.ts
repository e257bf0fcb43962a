import { hash } from 'node:crypto';

/** 32 bytes: a leaf or a node of the tree. */
export type NodeHash = Buffer;

/** The root of the empty tree: the hash of the empty string. */
export const EMPTY_ROOT: NodeHash = hash('sha256', '', 'buffer');

const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;

/**
 * The hash of a leaf, `SHA-256(0x00 || data)`. The prefixes keep leaf and node hashes distinct.
 *
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-2.1
 */
export function leafHash(data: Uint8Array): NodeHash {
  const input = Buffer.allocUnsafe(1 + data.length);
  input[0] = LEAF_PREFIX;
  input.set(data, 1);
  return hash('sha256', input, 'buffer');
}

const single = Buffer.alloc(33);
single[0] = LEAF_PREFIX;

/** {@link leafHash} of 32 bytes given as 64 hexadecimal digits. */
export function leafOf(hex: string): NodeHash {
  if (single.write(hex, 1, 'hex') !== 32) throw new RangeError(`'${hex}' is not a hash.`);
  return hash('sha256', single, 'buffer');
}

const pair = Buffer.alloc(65);
pair[0] = NODE_PREFIX;

/** The hash of an inner node, `SHA-256(0x01 || left || right)`. */
export function nodeHash(left: NodeHash, right: NodeHash): NodeHash {
  pair.set(left, 1);
  pair.set(right, 33);
  return hash('sha256', pair, 'buffer');
}

/**
 * The right edge of a Merkle tree: the roots of its perfect subtrees, largest first, one per bit set
 * in the size. It is sufficient to append leaves and to compute the root, and has at most 53 hashes
 * for a log of any length.
 */
export class MerkleFrontier {
  #size: number;
  readonly #nodes: NodeHash[];

  /**
   * @param size number of leaves
   * @param nodes roots of the perfect subtrees, largest first
   * @throws {RangeError} if the number of nodes is not the number of bits set in the size
   */
  constructor(size = 0, nodes: readonly NodeHash[] = []) {
    if (!Number.isSafeInteger(size) || size < 0 || nodes.length !== bitsSet(size)) {
      throw new RangeError(
        `The frontier of a tree with ${size} leaves cannot have ${nodes.length} nodes.`,
      );
    }
    this.#size = size;
    this.#nodes = [...nodes];
  }

  /** Number of leaves. */
  get size(): number {
    return this.#size;
  }

  /** Roots of the perfect subtrees, largest first. */
  get nodes(): readonly NodeHash[] {
    return this.#nodes;
  }

  /** Adds a leaf by its hash. */
  append(leaf: NodeHash): void {
    let node = leaf;
    for (let rest = this.#size; rest % 2 === 1; rest = (rest - 1) / 2) {
      node = nodeHash(this.#nodes.pop() as NodeHash, node);
    }
    this.#nodes.push(node);
    this.#size++;
  }

  /** The root, `MTH(D[n])` of RFC 6962. */
  root(): NodeHash {
    let root: NodeHash | undefined;
    for (let i = this.#nodes.length - 1; i >= 0; i--) {
      const node = this.#nodes[i] as NodeHash;
      root = root === undefined ? node : nodeHash(node, root);
    }
    return root ?? EMPTY_ROOT;
  }

  clone(): MerkleFrontier {
    return new MerkleFrontier(this.#size, this.#nodes);
  }
}

/** A frontier as it is stored: its nodes as hexadecimal digits. */
export function encodeFrontier({ nodes }: MerkleFrontier): readonly string[] {
  return nodes.map((node) => node.toString('hex'));
}

/**
 * A frontier from its stored form.
 *
 * @throws {RangeError} if the number of nodes does not match the size, or one is not 64 hexadecimal digits
 */
export function decodeFrontier(size: number, nodes: readonly string[]): MerkleFrontier {
  const wrong = nodes.find((node) => !/^[0-9a-f]{64}$/.test(node));
  if (wrong !== undefined) throw new RangeError('A node of the frontier is not a hash.');
  return new MerkleFrontier(
    size,
    nodes.map((node) => Buffer.from(node, 'hex')),
  );
}

/** Number of bits set in a safe integer. */
export function bitsSet(value: number): number {
  let count = 0;
  for (let rest = value; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}
