import { describe, expect, it } from 'vitest';
import { ClientAddress, type ClientAddressOptions } from './client-address.ts';

const find = (
  remote: string | undefined,
  forwarded: string | undefined,
  options: ClientAddressOptions = {},
): string | undefined =>
  new ClientAddress('test', options).of(remote, (name) =>
    name === 'x-forwarded-for' ? forwarded : undefined,
  );

describe('ClientAddress', () => {
  it('is the address of the connection, whatever the headers say', () => {
    expect(find('203.0.113.7', '198.51.100.1')).toBe('203.0.113.7');
    expect(find('::ffff:203.0.113.7', '198.51.100.1')).toBe('203.0.113.7');
  });

  const trustedProxies = ['10.0.0.0/8', 'fd00::/8', '192.0.2.1'];

  it('is the nearest address that is not a trusted proxy', () => {
    const options = { trustedProxies };
    expect(find('10.1.2.3', '198.51.100.1', options)).toBe('198.51.100.1');
    expect(find('10.1.2.3', 'evil, 1.1.1.1, 198.51.100.1, 10.9.9.9', options)).toBe('198.51.100.1');
    expect(find('192.0.2.1', '198.51.100.1:4711', options)).toBe('198.51.100.1');
    expect(find('192.0.2.2', '198.51.100.1', options)).toBe('192.0.2.2');
    expect(find('fd00::1', '[2001:db8:1:2::7]:443', options)).toBe('2001:db8:1:2:0:0:0:0/64');
  });

  it('is the address of the proxy when the header has no valid one', () => {
    expect(find('10.1.2.3', undefined, { trustedProxies })).toBe('10.1.2.3');
    expect(find('10.1.2.3', 'unknown', { trustedProxies })).toBe('10.1.2.3');
    expect(find('10.1.2.3', '1.1.1.1, garbage', { trustedProxies })).toBe('10.1.2.3');
  });

  it('reads the header of a local socket only when unix is trusted', () => {
    expect(find(undefined, '198.51.100.1')).toBeUndefined();
    expect(find(undefined, '198.51.100.1', { trustedProxies: ['unix'] })).toBe('198.51.100.1');
  });

  it('treats an IPv6 network as one client', () => {
    expect(find('2001:db8::1', undefined)).toBe('2001:db8:0:0:0:0:0:0/64');
    expect(find('2001:db8:0:0:ffff::1', undefined)).toBe('2001:db8:0:0:0:0:0:0/64');
    expect(find('2001:db8:0:1ff::1', undefined, { ipv6Prefix: 56 })).toBe(
      '2001:db8:0:100:0:0:0:0/56',
    );
    expect(find('2001:DB8::1%eth0', undefined, { ipv6Prefix: 128 })).toBe('2001:db8::1');
  });

  const spellings = [
    '1.2.3.4',
    '::ffff:1.2.3.4',
    '::FFFF:1.2.3.4',
    '::ffff:102:304',
    '::ffff:0102:0304',
    '0:0:0:0:0:ffff:1.2.3.4',
    '0:0::0:ffff:102:304',
    '0000:0000:0000:0000:0000:ffff:0102:0304',
    '[::ffff:102:304]:443',
    '::ffff:1.2.3.4%eth0',
  ];

  it.each(spellings)('takes %s for 1.2.3.4', (address) => {
    expect(find('10.1.2.3', address, { trustedProxies })).toBe('1.2.3.4');
    expect(find('10.1.2.3', address, { trustedProxies, ipv6Prefix: 128 })).toBe('1.2.3.4');
    expect(find(address, undefined)).toBe('1.2.3.4');
    expect(find(address, '5.6.7.8', { trustedProxies: ['1.2.3.0/24'] })).toBe('5.6.7.8');
  });

  it.each(['64:ff9b::1.2.3.4', '64:FF9B::102:304', '64:ff9b:0:0:0:0:102:304'])(
    'takes %s, which NAT64 made of 1.2.3.4, for 1.2.3.4',
    (address) => {
      expect(find(address, undefined)).toBe('1.2.3.4');
      expect(find('10.1.2.3', address, { trustedProxies })).toBe('1.2.3.4');
      // Whoever has such an address is not the proxy whose address it contains.
      expect(find(address, '5.6.7.8', { trustedProxies: ['1.2.3.4'] })).toBe('1.2.3.4');
    },
  );

  it('keeps the clients behind NAT64 apart', () => {
    expect(find('64:ff9b::1.2.3.4', undefined)).not.toBe(find('64:ff9b::1.2.3.5', undefined));
    expect(find('64:ff9b:1::1.2.3.4', undefined)).toMatch(/\/64$/);
  });

  it.each(['::ffff:1.2.3.4', '::ffff:102:0/112', '::ffff:102:304/128'])(
    'trusts %s in every spelling of its addresses',
    (proxy) => {
      for (const remote of spellings) {
        expect(find(remote, '5.6.7.8', { trustedProxies: [proxy] })).toBe('5.6.7.8');
      }
      expect(find('1.3.3.4', '5.6.7.8', { trustedProxies: [proxy] })).toBe('1.3.3.4');
    },
  );

  it.each(['::1.2.3.4', '::fffe:1.2.3.4', '0:0:0:0:ffff:0:1.2.3.4', '1::ffff:1.2.3.4'])(
    'does not take %s for an IPv4 address',
    (address) => {
      expect(find(address, undefined)).toMatch(/\/64$/);
    },
  );

  it('is the same for every spelling of an IPv6 address', () => {
    for (const address of ['2001:db8::1', '2001:DB8:0::1', '2001:0db8:0:0:0:0:0:1']) {
      expect(find(address, undefined, { ipv6Prefix: 128 })).toBe('2001:db8::1');
    }
  });

  it('can be read from another header', () => {
    const address = new ClientAddress('test', { trustedProxies, forwardedHeader: 'X-Real-IP' });
    expect(address.of('10.0.0.1', (name) => (name === 'x-real-ip' ? '1.2.3.4' : undefined))).toBe(
      '1.2.3.4',
    );
  });

  it.each([['10.0.0.0/33'], ['localhost'], ['10.0.0.0/'], ['fd00::/129'], ['10.0.0.0/x']])(
    'refuses to trust %s',
    (proxy) => {
      expect(() => find('10.0.0.1', undefined, { trustedProxies: [proxy] })).toThrow(
        `test: trustedProxies must be addresses, networks or 'unix', got '${proxy}'.`,
      );
    },
  );

  it('refuses a prefix out of range', () => {
    expect(() => find('10.0.0.1', undefined, { ipv6Prefix: 0 })).toThrow(RangeError);
  });

  it.each([['10.0.0.0/8'], [null], [[5]], [{}]])(
    'refuses %j as trustedProxies',
    (trustedProxies) => {
      expect(() => find('10.0.0.1', undefined, { trustedProxies } as never)).toThrow(
        /^test: trustedProxies must be a list of strings, got /,
      );
    },
  );
});
