import { BlockList, isIP, isIPv6, SocketAddress } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatIpv6, ipv4Of, isIn, parseAddress, parseNetwork } from './addresses.ts';

/** Texts that are addresses, or nearly so. */
const nearAddress = fc.oneof(
  fc.ipV4(),
  fc.ipV4Extended(),
  fc.ipV6(),
  fc
    .array(
      fc.constantFrom(
        '0',
        '00',
        '1',
        'ffff',
        'FFFF',
        'abcde',
        '',
        ':',
        '1.2.3.4',
        '256.1.1.1',
        'g',
      ),
      {
        maxLength: 9,
      },
    )
    .map((parts) => parts.join(':')),
  fc
    .array(fc.constantFrom('0', '01', '1', '255', '256', '', '-1', '1e1', ' 1'), { maxLength: 5 })
    .map((parts) => parts.join('.')),
  fc.string({ maxLength: 20 }),
);

describe('addresses, held to node:net', () => {
  it('takes the same texts for addresses', () => {
    fc.assert(
      fc.property(nearAddress, (text) => {
        expect(parseAddress(text) !== undefined).toBe(isIP(text) !== 0 && !text.includes('%'));
      }),
      { numRuns: 5000 },
    );
  });

  it('writes IPv6 addresses in the same notation, and reads them back', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
          minLength: 8,
          maxLength: 8,
        }),
        (groups) => {
          const text = formatIpv6(groups);
          expect(parseAddress(text)).toEqual(groups);
          const address = groups.map((group) => group.toString(16)).join(':');
          const native = new SocketAddress({ address, family: 'ipv6' }).address;
          if (!native.includes('.')) expect(text).toBe(native);
          const mapped = groups[5] === 0xffff && ipv4Of(groups) !== undefined;
          if (mapped) expect(native).toBe(`::ffff:${ipv4Of(groups)}`);
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('finds the same addresses in a network', () => {
    const pair = fc.oneof(
      fc.tuple(
        fc.ipV4(),
        fc.ipV4(),
        fc.integer({ min: 0, max: 32 }),
        fc.integer({ min: 0, max: 32 }),
      ),
      fc.tuple(
        fc.ipV6(),
        fc.ipV6(),
        fc.integer({ min: 0, max: 128 }),
        fc.integer({ min: 0, max: 128 }),
      ),
    );
    fc.assert(
      fc.property(pair, ([one, other, bits]) => {
        const family = isIPv6(one) ? 'ipv6' : 'ipv4';
        const list = new BlockList();
        list.addSubnet(one, bits, family);
        const network = parseNetwork(`${one}/${bits}`)!;
        expect(isIn(parseAddress(one)!, network)).toBe(true);
        expect(isIn(parseAddress(other)!, network)).toBe(list.check(other, family));
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    '',
    '/8',
    '1.2.3.4/',
    '1.2.3.4/33',
    '1.2.3.4/-1',
    '1.2.3.4/1.5',
    '::/129',
    '::/8/8',
    '::1%lo',
  ])('does not take %j for a network', (text) => {
    expect(parseNetwork(text)).toBeUndefined();
  });
});
