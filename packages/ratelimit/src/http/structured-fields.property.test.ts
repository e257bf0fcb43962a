import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatRateLimit,
  formatRateLimitPolicy,
  parseRateLimit,
  parseRateLimitPolicy,
} from './fields.ts';
import { parseList, serializeString } from './structured-fields.ts';

const printable = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((c) => String.fromCharCode(c)),
});
const count = fc.integer({ min: 0, max: 999_999_999_999_999 });
const bytes = fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined });

describe('structured fields', () => {
  it('are parsed to what was serialised', () => {
    const policy = fc.record({
      name: printable,
      quota: count,
      unit: fc.option(
        printable.filter((unit) => unit !== 'requests'),
        { nil: undefined },
      ),
      windowSeconds: fc.option(
        count.filter((w) => w > 0),
        { nil: undefined },
      ),
      partitionKey: bytes,
    });
    const limit = fc.record({
      name: printable,
      remaining: count,
      resetSeconds: fc.option(count, { nil: undefined }),
      partitionKey: bytes,
    });
    fc.assert(
      fc.property(fc.array(policy, { minLength: 1 }), fc.array(limit, { minLength: 1 }), (p, l) => {
        const plain = <T extends { partitionKey: Uint8Array | undefined }>(all: T[] | undefined) =>
          all?.map((one) => ({ ...one, partitionKey: one.partitionKey && [...one.partitionKey] }));
        expect(plain(parseRateLimitPolicy(formatRateLimitPolicy(p)) as typeof p)).toEqual(plain(p));
        expect(plain(parseRateLimit(formatRateLimit(l)) as typeof l)).toEqual(plain(l));
      }),
    );
  });

  it('parse any text without an error', () => {
    const near = fc.string({ unit: fc.constantFrom(...'"\\;=,: \tqrtwpk019-.?@%*abc()') });
    fc.assert(
      fc.property(fc.oneof(fc.string(), near), (text) => {
        parseList(text);
        parseRateLimit(text);
        parseRateLimitPolicy(text);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    ['a', [{ type: 'token', value: 'a' }]],
    ['"a\\"b\\\\c"', [{ type: 'string', value: 'a"b\\c' }]],
    [
      '-42, 1.5,\t?1',
      [
        { type: 'integer', value: -42 },
        { type: 'decimal', value: 1.5 },
        { type: 'boolean', value: true },
      ],
    ],
    ['@1659578233', [{ type: 'date', value: '1659578233' }]],
    ['%"f%c3%bc"', [{ type: 'display', value: 'f%c3%bc' }]],
    ['  x ', [{ type: 'token', value: 'x' }]],
  ])('parse %j', (text, expected) => {
    expect(parseList(text)?.map(({ bare }) => bare)).toEqual(expected);
  });

  it.each([
    'a,',
    'a b',
    ',a',
    '"a',
    '"ä"',
    '1.',
    '1.1234',
    '1234567890123456',
    'a;',
    'a;Q=1',
    'a;q=',
    '(a b)',
    ':a*:',
    '"a\\x"',
  ])('refuse %j as a whole', (text) => {
    expect(parseList(text)).toBeUndefined();
  });

  it('refuse to serialise text that a String cannot hold', () => {
    expect(() => serializeString('größe')).toThrow(TypeError);
    expect(() => serializeString('a\nb')).toThrow(TypeError);
  });
});

describe('the examples of the draft', () => {
  it('are parsed', () => {
    expect(parseRateLimitPolicy('"burst";q=100;w=60,"daily";q=1000;w=86400')).toMatchObject([
      { name: 'burst', quota: 100, windowSeconds: 60 },
      { name: 'daily', quota: 1000, windowSeconds: 86_400 },
    ]);
    const bytesPolicy = parseRateLimitPolicy(
      '"peruser";q=65535;qu="content-bytes";w=10;pk=:cHsdsRa894==:',
    );
    expect(bytesPolicy).toMatchObject([
      { quota: 65_535, unit: 'content-bytes', windowSeconds: 10 },
    ]);
    expect(parseRateLimit('"default";r=50;t=30')).toMatchObject([
      { name: 'default', remaining: 50, resetSeconds: 30 },
    ]);
    const [trial] = parseRateLimit('"default";r=999;pk=:dHJpYWwxMjEzMjM=:') ?? [];
    expect(Buffer.from(trial!.partitionKey!).toString()).toBe('trial121323');
    // Unknown parameters are ignored.
    expect(parseRateLimitPolicy('"sliding";q=100;w=60;acme-burst=1000')).toHaveLength(1);
  });

  it.each([
    'quota;r=1', // a Token, not a String
    '"quota"', // no r
    '"quota";r=-1',
    '"quota";r=1.5',
    '"quota";r=1;t="30"',
    '"quota";r=1;pk="user"',
    '',
  ])('are ignored when they are malformed: %j', (text) => {
    expect(parseRateLimit(text)).toBeUndefined();
  });

  it('are ignored when a policy is malformed', () => {
    expect(parseRateLimitPolicy('"quota";q=10;w=0')).toBeUndefined();
    expect(parseRateLimitPolicy('"quota";q=10;qu=requests')).toBeUndefined();
    expect(parseRateLimitPolicy('"quota";w=10')).toBeUndefined();
  });

  it('are serialised the same way', () => {
    expect(formatRateLimitPolicy([{ name: 'default', quota: 100, windowSeconds: 10 }])).toBe(
      '"default";q=100;w=10',
    );
    expect(
      formatRateLimit([
        { name: 'day', remaining: 100.9, resetSeconds: 35_999.2 },
        { name: 'user', remaining: -1, partitionKey: Buffer.from('trial121323') },
      ]),
    ).toBe('"day";r=100;t=36000, "user";r=0;pk=:dHJpYWwxMjEzMjM=:');
  });
});
