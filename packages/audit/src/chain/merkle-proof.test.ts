import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leafHash, MerkleFrontier, type NodeHash } from './merkle.ts';
import {
  consistencyRanges,
  inclusionRanges,
  type LeafRange,
  RangeHasher,
  verifyConsistency,
  verifyInclusion,
} from './merkle-proof.ts';

const leaves = Array.from({ length: 80 }, (_, i) => leafHash(Buffer.from(`leaf ${i}`)));

function frontierOf(size: number): MerkleFrontier {
  const frontier = new MerkleFrontier();
  for (const leaf of leaves.slice(0, size)) frontier.append(leaf);
  return frontier;
}

function prove(ranges: readonly LeafRange[], size: number, pruned = 0): readonly NodeHash[] {
  const hasher = new RangeHasher(ranges, frontierOf(pruned));
  for (const leaf of leaves.slice(pruned, size)) hasher.append(leaf);
  return hasher.roots();
}

const size = fc.integer({ min: 1, max: leaves.length });

describe('inclusion proofs', () => {
  it('makes the inclusion proofs of the reference tree', () => {
    const reference = [
      '',
      '00',
      '10',
      '2021',
      '3031',
      '40414243',
      '5051525354555657',
      '606162636465666768696a6b6c6d6e6f',
    ];
    const hashed = reference.map((hex) => leafHash(Buffer.from(hex, 'hex')));
    const hasher = new RangeHasher(inclusionRanges(0, 8));
    for (const leaf of hashed) hasher.append(leaf);
    expect(hasher.roots().map((node) => node.toString('hex'))).toEqual([
      '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
      '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
      '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
    ]);
  });

  it('proves every leaf at its index and at no other', () => {
    for (let total = 1; total <= 20; total++) {
      const root = frontierOf(total).root();
      for (let index = 0; index < total; index++) {
        const proof = prove(inclusionRanges(index, total), total);
        for (let claim = 0; claim < total; claim++) {
          const shown = verifyInclusion(claim, total, leaves[index] as NodeHash, proof, root);
          expect(shown).toBe(claim === index);
        }
      }
    }
  });

  it('rejects another leaf, another root, and a proof of the wrong length', () => {
    fc.assert(
      fc.property(size, fc.nat(), (total, at) => {
        const index = at % total;
        const leaf = leaves[index] as NodeHash;
        const root = frontierOf(total).root();
        const proof = prove(inclusionRanges(index, total), total);
        expect(verifyInclusion(index, total, leaf, proof, root)).toBe(true);
        expect(verifyInclusion(index, total, leafHash(Buffer.of(0)), proof, root)).toBe(false);
        expect(verifyInclusion(index, total, leaf, proof, leafHash(Buffer.of(0)))).toBe(false);
        expect(verifyInclusion(index, total, leaf, [...proof, leaf], root)).toBe(false);
        if (proof.length > 0) {
          expect(verifyInclusion(index, total, leaf, proof.slice(1), root)).toBe(false);
        }
      }),
    );
  });

  it('makes inclusion proofs for the leaves that retention has left', () => {
    fc.assert(
      fc.property(size, fc.nat(), fc.nat(), (total, cut, at) => {
        const pruned = cut % total;
        const index = pruned + (at % (total - pruned));
        const proof = prove(inclusionRanges(index, total), total, pruned);
        expect(proof).toEqual(prove(inclusionRanges(index, total), total));
      }),
    );
  });

  it('throws when an inclusion proof needs leaves that retention has removed', () => {
    expect(() => prove(inclusionRanges(0, 8), 8, 4)).toThrow('retention has removed');
  });

  it('throws when the log has fewer leaves than the proof needs', () => {
    expect(() => prove(inclusionRanges(0, 8), 6)).toThrow('The log ends before leaf 7');
    expect(() => inclusionRanges(8, 8)).toThrow(RangeError);
  });
});

describe('consistency proofs', () => {
  it('proves every size to be a prefix of every later size, and no other root', () => {
    for (let to = 0; to <= 20; to++) {
      for (let from = 0; from <= to; from++) {
        const proof = prove(consistencyRanges(from, to), to);
        const old = frontierOf(from).root();
        const grown = frontierOf(to).root();
        expect(verifyConsistency(from, to, old, grown, proof)).toBe(true);
        if (from === 0) continue;
        const other = leafHash(Buffer.of(9));
        expect(verifyConsistency(from, to, other, grown, proof)).toBe(false);
        expect(verifyConsistency(from, to, old, other, proof)).toBe(false);
        expect(verifyConsistency(from, to, old, grown, [...proof, other])).toBe(false);
      }
    }
  });

  it('rejects a consistency proof between forked logs', () => {
    fc.assert(
      fc.property(size, fc.nat(), (to, at) => {
        const from = 1 + (at % to);
        if (from === to) return;
        const parted = new MerkleFrontier();
        for (const leaf of leaves.slice(0, to - 1)) parted.append(leaf);
        parted.append(leafHash(Buffer.from('another ending')));
        const proof = prove(consistencyRanges(from, to), to);
        expect(verifyConsistency(from, to, frontierOf(from).root(), parted.root(), proof)).toBe(
          false,
        );
      }),
    );
  });

  it('makes consistency proofs from the leaves that retention has left', () => {
    fc.assert(
      fc.property(size, fc.nat(), fc.nat(), (to, at, cut) => {
        const from = 1 + (at % to);
        const pruned = cut % (from + 1);
        const ranges = consistencyRanges(from, to);
        expect(prove(ranges, to, pruned)).toEqual(prove(ranges, to));
      }),
    );
  });
});
