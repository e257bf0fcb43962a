import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalize, type JsonValue, quote } from './canonical-json.ts';

/** Test data published with RFC 8785: input JSON, and the canonical bytes in hexadecimal. */
const PUBLISHED: readonly (readonly [string, string, string])[] = [
  [
    'arrays',
    '[56, {"d": true, "10": null, "1": []}]',
    '5b35362c7b2231223a5b5d2c223130223a6e756c6c2c2264223a747275657d5d',
  ],
  [
    'french',
    '{"peach":"This sorting order","p\u00e9ch\u00e9":"is wrong according to French","p\u00eache":"but canonicalization MUST","sin":"ignore locale"}',
    '7b227065616368223a225468697320736f7274696e67206f72646572222c2270c3a963' +
      '68c3a9223a2269732077726f6e67206163636f7264696e6720746f204672656e6368222c2270c3aa636865223a22' +
      '6275742063616e6f6e6963616c697a6174696f6e204d555354222c2273696e223a2269676e6f7265206c6f63616c65227d',
  ],
  [
    'structures',
    '{"1":{"f":{"f":"hi","F":5},"\\n":56.0},"10":{},"":"empty","a":{},"111":[{"e":"yes","E":"no"}],"A":{}}',
    '7b22223a22656d707479222c2231223a7b225c6e223a35362c2266223a7b2246223a352c2266223a226869227d7d2c22313022' +
      '3a7b7d2c22313131223a5b7b2245223a226e6f222c2265223a22796573227d5d2c2241223a7b7d2c2261223a7b7d7d',
  ],
  [
    'unicode',
    '{"Unnormalized Unicode":"A\\u030a"}',
    '7b22556e6e6f726d616c697a656420556e69636f6465223a2241cc8a227d',
  ],
  [
    'values',
    '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}',
    '7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b3333333333333333332e' +
      '333333333333332c31652b33302c342e352c302e3030322c31652d32375d2c22737472696e67223a22e282ac245c7530303066' +
      '5c6e4127425c225c5c5c5c5c222f227d',
  ],
];

const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as JsonValue);

describe('canonicalize', { timeout: 30_000 }, () => {
  it.each(PUBLISHED)('writes the bytes that RFC 8785 gives for %s', (_, input, hex) => {
    expect(Buffer.from(canonicalize(JSON.parse(input))).toString('hex')).toBe(hex);
  });

  it('writes numbers as the RFC lists them', () => {
    const bits = (hex: string): number => Buffer.from(hex, 'hex').readDoubleBE();
    expect(canonicalize(bits('8000000000000000'))).toBe('0');
    expect(canonicalize(bits('0000000000000001'))).toBe('5e-324');
    expect(canonicalize(bits('7fefffffffffffff'))).toBe('1.7976931348623157e+308');
    expect(canonicalize(bits('4340000000000001'))).toBe('9007199254740994');
    expect(canonicalize(bits('444b1ae4d6e2ef50'))).toBe('1e+21');
    expect(canonicalize(bits('41b3de4355555554'))).toBe('333333333.33333325');
    expect(canonicalize(bits('3eb0c6f7a0b5ed8d'))).toBe('0.000001');
  });

  it('rejects values that JSON does not have', () => {
    expect(() => canonicalize(Number.NaN)).toThrow('no NaN');
    expect(() => canonicalize(Number.POSITIVE_INFINITY)).toThrow('no Infinity');
    expect(() => canonicalize('\ud800')).toThrow('lone surrogates');
    expect(() => canonicalize(undefined as never)).toThrow('no undefined');
    expect(() => canonicalize([1n as never])).toThrow('no bigint');
  });

  it('parses back to the same value', () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(JSON.parse(canonicalize(value))).toEqual(value);
      }),
    );
  });

  it('does not depend on the insertion order of keys', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), json),
        fc.infiniteStream(fc.nat()),
        (object, order) => {
          const shuffled = Object.entries(object)
            .map((entry) => ({ entry, at: order.next().value as number }))
            .sort((a, b) => a.at - b.at)
            .map(({ entry }) => entry);
          expect(canonicalize(Object.fromEntries(shuffled))).toBe(canonicalize(object));
        },
      ),
    );
  });

  it('quotes every string as JSON.stringify does', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (text) => {
        expect(quote(text)).toBe(JSON.stringify(text));
      }),
    );
  });
});
