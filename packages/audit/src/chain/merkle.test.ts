import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bitsSet,
  EMPTY_ROOT,
  leafHash,
  MerkleFrontier,
  type NodeHash,
  nodeHash,
} from './merkle.ts';

/** Leaves and roots of the reference tree of the Certificate Transparency project. */
const LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

/** The definition of RFC 6962, section 2.1. */
function definedRoot(leaves: readonly NodeHash[]): NodeHash {
  if (leaves.length === 0) return EMPTY_ROOT;
  if (leaves.length === 1) return leaves[0] as NodeHash;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(definedRoot(leaves.slice(0, split)), definedRoot(leaves.slice(split)));
}

const someLeaves = (count: number): NodeHash[] =>
  Array.from({ length: count }, (_, i) => leafHash(Buffer.from(`leaf ${i}`)));

describe('MerkleFrontier', () => {
  it('has the roots of the reference tree', () => {
    const frontier = new MerkleFrontier();
    const roots = [frontier.root().toString('hex')];
    for (const leaf of LEAVES) {
      frontier.append(leafHash(Buffer.from(leaf, 'hex')));
      roots.push(frontier.root().toString('hex'));
    }
    expect(roots).toEqual(ROOTS);
  });

  it('has the root defined by RFC 6962 at every size', () => {
    const leaves = someLeaves(70);
    const frontier = new MerkleFrontier();
    leaves.forEach((leaf, i) => {
      frontier.append(leaf);
      expect(frontier.root()).toEqual(definedRoot(leaves.slice(0, i + 1)));
      expect(frontier.nodes).toHaveLength(bitsSet(frontier.size));
    });
  });

  it('continues from a stored frontier', () => {
    fc.assert(
      fc.property(fc.nat(100), fc.nat(100), (before, after) => {
        const leaves = someLeaves(before + after);
        const first = new MerkleFrontier();
        for (const leaf of leaves.slice(0, before)) first.append(leaf);
        const second = new MerkleFrontier(first.size, first.nodes);
        for (const leaf of leaves.slice(before)) second.append(leaf);
        expect(second.root()).toEqual(definedRoot(leaves));
        expect(first.root()).toEqual(definedRoot(leaves.slice(0, before)));
      }),
      { numRuns: 50 },
    );
  });

  it('rejects a frontier that does not match its size', () => {
    expect(() => new MerkleFrontier(3, [leafHash(Buffer.of(1))])).toThrow(RangeError);
    expect(() => new MerkleFrontier(-1)).toThrow(RangeError);
  });
});
