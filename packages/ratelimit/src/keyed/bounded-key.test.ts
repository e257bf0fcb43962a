import { createHash } from 'node:crypto';
import { ManualClock } from '@temper/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concurrency } from '../limiters/concurrency.ts';
import { tokenBucket } from '../limiters/token-bucket.ts';
import { boundedKey, sha256 } from './bounded-key.ts';
import { keyed } from './keyed.ts';

/** The digest of Node, of the same bytes. */
const expected = (text: string): string =>
  createHash('sha256').update(Buffer.from(text, 'utf16le').swap16()).digest('hex');

describe('sha256', () => {
  it('is the digest that Node computes', () => {
    for (let length = 0; length < 200; length++) {
      expect(sha256('ä€'.repeat(length))).toBe(expected('ä€'.repeat(length)));
    }
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        expect(sha256(text)).toBe(expected(text));
      }),
      { numRuns: 100 },
    );
  });
});

describe('boundedKey', () => {
  it('keeps short keys, bounds long ones, and makes no two keys one', () => {
    const keys = ['', 'a', 'a'.repeat(128), 'a'.repeat(129), 'a'.repeat(8192), 'b'.repeat(8192)];
    const bounded = keys.map(boundedKey);
    expect(bounded.slice(0, 3)).toEqual(keys.slice(0, 3));
    for (const key of bounded) expect(key.length).toBeLessThanOrEqual(129);
    // Not even the digest of another key, written out, is that key.
    const all = [...bounded, ...bounded.map(boundedKey), ...keys.map(sha256)];
    expect(new Set(bounded).size).toBe(keys.length);
    expect(boundedKey(bounded[4]!)).not.toBe(bounded[4]);
    expect(all.every((key) => key.length <= 129)).toBe(true);
  });
});

describe.each([
  ['template', () => keyed({ template: tokenBucket({ clock: new ManualClock(), burst: 1 }) })],
  ['limiter', () => keyed({ limiter: () => concurrency({ limit: 1 }) })],
])('a keyed limiter with a %s', (_, make) => {
  it('keeps long keys apart', () => {
    const limiter = make();
    const [one, two] = [`${'x'.repeat(8192)}1`, `${'x'.repeat(8192)}2`];
    expect(limiter.tryAcquire({ key: one })).toBeDefined();
    expect(limiter.tryAcquire({ key: one })).toBeUndefined();
    expect(limiter.tryAcquire({ key: two })).toBeDefined();
    expect(limiter.peek({ key: two })).toMatchObject({ remaining: 0 });
    expect(limiter.stats().keys).toBe(2);
  });
});

it('a limiter function gets the whole key', () => {
  const seen: string[] = [];
  const limiter = keyed({
    limiter: (key) => {
      seen.push(key);
      return concurrency();
    },
  });
  limiter.tryAcquire({ key: 'x'.repeat(500) });
  expect(seen).toEqual(['x'.repeat(500)]);
});
