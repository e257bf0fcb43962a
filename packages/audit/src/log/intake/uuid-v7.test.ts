import { randomFillSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { uuidV7Generator } from './uuid-v7.ts';

const FORM = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const timeOf = (uuid: string): number => Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);

describe('uuidV7Generator', () => {
  it('encodes time, version and variant as in the example of RFC 9562', () => {
    // Appendix A.6: time 0x017F22E279B0, rand_a 0xCC3 (ours has the top bit clear), rand_b 0x18C4DC0C0C07398F.
    const bytes = Buffer.from('18c4dc0c0c07398f04c3', 'hex');
    const next = uuidV7Generator(
      () => 0x017f22e279b0,
      (buffer) => buffer.set(bytes),
    );
    expect(next()).toBe('017f22e2-79b0-74c3-98c4-dc0c0c07398f');
  });

  it('returns increasing identifiers for any movement of the clock', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -5, max: 3 }), { maxLength: 300 }), (steps) => {
        let time = 1_700_000_000_000;
        const next = uuidV7Generator(() => time, randomFillSync);
        let previous = next();
        for (const step of steps) {
          time += step;
          const uuid = next();
          expect(uuid).toMatch(FORM);
          expect(uuid > previous).toBe(true);
          previous = uuid;
        }
      }),
    );
  });

  it('advances the timestamp when the counter of a millisecond overflows', () => {
    const next = uuidV7Generator(() => 1_000_000, randomFillSync);
    const all = Array.from({ length: 10_000 }, next);
    expect(new Set(all).size).toBe(10_000);
    expect([...all].sort()).toEqual(all);
    expect(timeOf(all[0] as string)).toBe(1_000_000);
    expect(timeOf(all.at(-1) as string)).toBeGreaterThan(1_000_000);
    expect(timeOf(all.at(-1) as string)).toBeLessThanOrEqual(1_000_004);
  });
});
