import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entityTag, noneMatchNames } from './conditional.ts';

const opaque = fc.string({ unit: fc.constantFrom('a', 'b', ',', ' ', '/', 'W', '\\') });
const tag = fc
  .tuple(fc.constantFrom('', 'W/'), opaque)
  .map(([weak, text]) => `${weak}"${text}"`.replaceAll(' ', '_'));

describe('entityTag', () => {
  it('an entity tag is strong, equal for equal bytes and different for different bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(entityTag(a)).toMatch(/^"[\w-]{27}"$/);
        expect(entityTag(a) === entityTag(b)).toBe(Buffer.from(a).equals(b));
      }),
    );
    expect(entityTag('é')).toBe(entityTag(Buffer.from('é')));
  });
});

describe('noneMatchNames', () => {
  const plain = (text: string) => text.replace(/^W\//, '');

  it('If-None-Match matches a weak or strong tag at any position in a list', () => {
    fc.assert(
      fc.property(fc.array(tag), fc.array(tag), tag, (before, after, wanted) => {
        const header = [...before, wanted, ...after].join(', ');
        expect(noneMatchNames(header, plain(wanted))).toBe(true);
      }),
    );
  });

  it('If-None-Match does not match a tag that is not in the list', () => {
    fc.assert(
      fc.property(fc.array(tag), tag, (listed, wanted) => {
        fc.pre(!listed.some((other) => plain(other) === plain(wanted)));
        expect(noneMatchNames(listed.join(','), plain(wanted))).toBe(false);
      }),
    );
  });

  it('If-None-Match treats * as any tag and a missing header as none, and never throws', () => {
    fc.assert(
      fc.property(tag, (any) => {
        expect(noneMatchNames(' * ', any)).toBe(true);
        expect(noneMatchNames(undefined, any)).toBe(false);
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (header) => {
        expect([true, false]).toContain(noneMatchNames(header, '"x"'));
      }),
    );
  });
});
