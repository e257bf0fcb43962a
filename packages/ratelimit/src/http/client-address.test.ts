import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ClientAddress, type ClientAddressOptions } from './client-address.ts';

const find = (
  remote: string | undefined,
  forwarded: string | undefined,
  options: ClientAddressOptions = {},
): string | undefined =>
  new ClientAddress('test', options).of({
    remote,
    header: (name) => (name === 'x-forwarded-for' ? forwarded : undefined),
  });

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

  it.each([
    ['loopback', ['127.0.0.1', '127.9.9.9', '::1', '::ffff:127.0.0.1'], ['128.0.0.1', '::2']],
    ['linklocal', ['169.254.1.1', 'fe80::1%eth0'], ['169.255.1.1', 'fec0::1']],
    [
      'uniquelocal',
      ['10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.4.5', 'fc00::1', 'fdff::1'],
      ['11.0.0.1', '172.32.0.1', '192.169.0.1', 'fe00::1'],
    ],
  ])('knows the range %s', (range, inside, outside) => {
    const options = { trustedProxies: [range] };
    for (const proxy of inside) expect(find(proxy, '5.6.7.8', options)).toBe('5.6.7.8');
    for (const other of outside) expect(find(other, '5.6.7.8', options)).not.toBe('5.6.7.8');
  });

  it('is so many hops away as there are proxies', () => {
    const chain = '1.1.1.1, 2.2.2.2, 3.3.3.3';
    expect(find('4.4.4.4', chain, { trustedProxies: 1 })).toBe('3.3.3.3');
    expect(find('4.4.4.4', chain, { trustedProxies: 2 })).toBe('2.2.2.2');
    expect(find('4.4.4.4', chain, { trustedProxies: 3 })).toBe('1.1.1.1');
    // A request that passed fewer of them has the farthest address there is.
    expect(find('4.4.4.4', chain, { trustedProxies: 9 })).toBe('1.1.1.1');
    expect(find('4.4.4.4', undefined, { trustedProxies: 2 })).toBe('4.4.4.4');
    expect(find('4.4.4.4', 'unknown, 3.3.3.3', { trustedProxies: 2 })).toBe('3.3.3.3');
    expect(find(undefined, chain, { trustedProxies: 1 })).toBe('3.3.3.3');
  });

  it.each([[0], [-1], [1.5], [33], [Number.NaN]])('refuses %d proxies', (trustedProxies) => {
    expect(() => find('4.4.4.4', undefined, { trustedProxies })).toThrow(RangeError);
  });

  it.each([
    ['for=192.0.2.60', '192.0.2.60'],
    ['For="192.0.2.60:4711";proto=http;by=203.0.113.43', '192.0.2.60'],
    ['proto=https; for = "[2001:db8:cafe::17]:4711"', '2001:db8:cafe:0:0:0:0:0/64'],
    ['for=1.1.1.1, for=192.0.2.60', '192.0.2.60'],
    ['for=1.1.1.1, by="a, for=6.6.6.6";for=192.0.2.60', '192.0.2.60'],
    ['for="1.1.1.1\\"", for=192.0.2.60', '192.0.2.60'],
    // Names that hide an address, and elements without one, end what is trusted.
    ['for=1.1.1.1, for=_hidden', '10.0.0.1'],
    ['for=1.1.1.1, for=unknown', '10.0.0.1'],
    ['for=1.1.1.1, proto=https', '10.0.0.1'],
    ['for="1.1.1.1, for=2.2.2.2', '10.0.0.1'],
    ['', '10.0.0.1'],
  ])('reads the Forwarded field %s', (field, client) => {
    const options = { trustedProxies: ['10.0.0.0/8'], forwardedHeader: 'Forwarded' };
    const address = new ClientAddress('test', options);
    const header = (name: string) => (name === 'forwarded' ? field : undefined);
    expect(address.of({ remote: '10.0.0.1', header })).toBe(client);
  });

  it('trusts no field that is longer than any that Node lets through', () => {
    const long = `${'1.1.1.1, '.repeat(2000)}1.1.1.1`;
    expect(find('10.0.0.1', long, { trustedProxies: ['10.0.0.0/8'] })).toBe('10.0.0.1');
  });

  it("is the framework's own unless proxies are named", () => {
    const header = (name: string) => (name === 'x-forwarded-for' ? '9.9.9.9' : undefined);
    const of = (options: ClientAddressOptions, framework: string | undefined) =>
      new ClientAddress('test', options).of({ remote: '10.0.0.1', framework, header });
    expect(of({}, '5.6.7.8')).toBe('5.6.7.8');
    expect(of({}, '::ffff:5.6.7.8')).toBe('5.6.7.8');
    expect(of({}, '2001:db8::1')).toBe('2001:db8:0:0:0:0:0:0/64');
    // Express under `trust proxy: true` takes whatever a client has written.
    expect(of({}, '<script>')).toBeUndefined();
    expect(of({ trustedProxies: ['10.0.0.1'] }, '5.6.7.8')).toBe('9.9.9.9');
    expect(of({ trustedProxies: [] }, '5.6.7.8')).toBe('10.0.0.1');
  });

  describe('where forwarded fields come and nobody is trusted', () => {
    const warnings = vi.spyOn(process, 'emitWarning');
    beforeEach(() => warnings.mockReset().mockReturnValue());
    afterAll(() => warnings.mockRestore());

    const ask = (address: ClientAddress, field: string | undefined, framework?: string) =>
      address.of({
        remote: '10.0.0.1',
        framework,
        header: (name) => (name === field ? '5.6.7.8' : undefined),
      });

    it.each(['x-forwarded-for', 'forwarded'])('warns once of %s', (field) => {
      const address = new ClientAddress('rateLimitMiddleware', {});
      ask(address, undefined);
      expect(warnings).not.toHaveBeenCalled();
      for (let i = 0; i < 3; i++) ask(address, field, '10.0.0.1');
      expect(warnings).toHaveBeenCalledTimes(1);
      const [message, options] = warnings.mock.calls[0]!;
      expect(message).toContain(`the header '${field}'`);
      expect(message).toContain('trustedProxies');
      expect(options).toEqual({ type: 'TemperWarning', code: 'TEMPER_UNTRUSTED_PROXY' });
    });

    it('says nothing where the user has said who is trusted, or the framework knows', () => {
      for (const trustedProxies of [[], ['10.0.0.1'], 1]) {
        ask(new ClientAddress('test', { trustedProxies }), 'x-forwarded-for');
      }
      ask(new ClientAddress('test', {}), 'x-forwarded-for', '5.6.7.8');
      expect(warnings).not.toHaveBeenCalled();
    });
  });

  it('can be read from another header', () => {
    const address = new ClientAddress('test', { trustedProxies, forwardedHeader: 'X-Real-IP' });
    const header = (name: string) => (name === 'x-real-ip' ? '1.2.3.4' : undefined);
    expect(address.of({ remote: '10.0.0.1', header })).toBe('1.2.3.4');
  });

  it.each([['10.0.0.0/33'], ['localhost'], ['10.0.0.0/'], ['fd00::/129'], ['10.0.0.0/x']])(
    'refuses to trust %s',
    (proxy) => {
      expect(() => find('10.0.0.1', undefined, { trustedProxies: [proxy] })).toThrow(
        `test: trustedProxies must be addresses, networks, 'loopback', 'linklocal', 'uniquelocal' or 'unix', got '${proxy}'.`,
      );
    },
  );

  it('refuses a prefix out of range', () => {
    expect(() => find('10.0.0.1', undefined, { ipv6Prefix: 0 })).toThrow(RangeError);
  });

  it.each([['10.0.0.0/8'], [null], [[5]], [{}], [true]])(
    'refuses %j as trustedProxies',
    (trustedProxies) => {
      expect(() => find('10.0.0.1', undefined, { trustedProxies } as never)).toThrow(
        /^test: trustedProxies must be a list of strings or a number, got /,
      );
    },
  );
});
