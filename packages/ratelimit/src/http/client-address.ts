import { BlockList, isIP, isIPv6, SocketAddress } from 'node:net';
import { checkNumber, checkType, show } from '@temper/core/policy';

/** How the address of a client is found. */
export interface ClientAddressOptions {
  /**
   * Addresses and networks (`10.0.0.0/8`, `fd00::/8`) of your own proxies, and `unix` for one that
   * connects by a local socket. Only their {@link forwardedHeader} is trusted; without any, the address
   * is that of the connection, whatever a client writes into its headers.
   *
   * @defaultValue none
   * @throws {TypeError} at construction, unless each is an address, a network or `unix`
   */
  readonly trustedProxies?: readonly string[];
  /**
   * Header to which your proxies append the address of the client.
   *
   * @defaultValue 'x-forwarded-for'
   */
  readonly forwardedHeader?: string;
  /**
   * How many bits of an IPv6 address identify a client: one client usually has a whole network.
   *
   * @defaultValue 64
   * @throws {RangeError} at construction, unless an integer from 1 to 128
   */
  readonly ipv6Prefix?: number;
}

/** Finds the address that a request came from. */
export class ClientAddress {
  readonly #trusted = new BlockList();
  readonly #trustsUnix: boolean;
  readonly #header: string;
  readonly #ipv6Prefix: number;

  constructor(owner: string, options: ClientAddressOptions) {
    const { trustedProxies = [], forwardedHeader = 'x-forwarded-for', ipv6Prefix = 64 } = options;
    checkList(owner, trustedProxies);
    checkType(owner, 'forwardedHeader', forwardedHeader, 'string');
    for (const proxy of trustedProxies) if (proxy !== 'unix') this.#trust(owner, proxy);
    this.#trustsUnix = trustedProxies.includes('unix');
    this.#header = forwardedHeader.toLowerCase();
    this.#ipv6Prefix = checkNumber(owner, 'ipv6Prefix', ipv6Prefix, {
      min: 1,
      max: 128,
      integer: true,
    });
  }

  #trust(owner: string, proxy: string): void {
    const [address = '', bits] = proxy.split('/');
    const family = isIP(address);
    const most = family === 6 ? 128 : 32;
    const prefix = bits === undefined ? most : Number(bits);
    if (family === 0 || bits === '' || !Number.isInteger(prefix) || prefix < 0 || prefix > most) {
      throw new TypeError(
        `${owner}: trustedProxies must be addresses, networks or 'unix', got ${show(proxy)}.`,
      );
    }
    // Addresses are compared as what they stand for.
    const mapped = prefix >= 96 ? mappedOf(address) : undefined;
    if (mapped !== undefined) this.#trusted.addSubnet(mapped, prefix - 96, 'ipv4');
    else this.#trusted.addSubnet(address, prefix, family === 6 ? 'ipv6' : 'ipv4');
  }

  /**
   * The client behind a connection: the nearest address that is not one of a trusted proxy.
   *
   * @param remote - address of the other end of the connection; `undefined` for a local socket
   * @param header - reads a header of the request
   * @returns an address, or a network for IPv6; `undefined` when there is none
   */
  of(remote: string | undefined, header: (name: string) => string | undefined): string | undefined {
    const nearest = remote === undefined ? undefined : plain(remote);
    if (nearest === undefined ? !this.#trustsUnix : !this.#isTrusted(nearest)) {
      return nearest === undefined ? undefined : this.#network(nearest);
    }
    const hops = (header(this.#header) ?? '').split(',').map((hop) => plain(hop.trim()));
    let client = nearest;
    for (const hop of hops.reverse()) {
      // Only addresses are written by a trusted proxy; what is left of anything else is not trusted.
      if (hop === undefined || isIP(hop) === 0) break;
      client = hop;
      if (!this.#isTrusted(hop)) break;
    }
    return client === undefined ? undefined : this.#network(client);
  }

  #isTrusted(address: string): boolean {
    return this.#trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }

  #network(address: string): string {
    if (!isIPv6(address)) return address;
    if (this.#ipv6Prefix === 128) return canonical(address);
    const groups = expand(address);
    const kept = groups.map((group, i) => {
      const bits = Math.min(16, Math.max(0, this.#ipv6Prefix - 16 * i));
      return (group & ((0xffff << (16 - bits)) & 0xffff)).toString(16);
    });
    return `${kept.join(':')}/${this.#ipv6Prefix}`;
  }
}

function checkList(owner: string, trustedProxies: unknown): void {
  if (Array.isArray(trustedProxies) && trustedProxies.every((each) => typeof each === 'string')) {
    return;
  }
  throw new TypeError(
    `${owner}: trustedProxies must be a list of strings, got ${show(trustedProxies)}.`,
  );
}

/** Without a port, brackets or zone, and mapped IPv4 as IPv4; `undefined` unless it is an address. */
function plain(text: string): string | undefined {
  const bare = /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  const address = bare.split('%')[0]!;
  return isIP(address) === 0 ? undefined : (mappedOf(address) ?? address);
}

/** The IPv4 address that an IPv6 one stands for, in whatever spelling; `undefined` for all others. */
function mappedOf(address: string): string | undefined {
  if (!isIPv6(address)) return undefined;
  const [a, b, c, d, e, f, high = 0, low = 0] = expand(address);
  if (a || b || c || d || e || f !== 0xffff) return undefined;
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}

/** The socket's own notation: lower case and shortened, so that one address is one key. */
function canonical(address: string): string {
  return new SocketAddress({ address, family: 'ipv6' }).address;
}

function expand(address: string): number[] {
  const text = canonical(address);
  const [head = '', tail] = text.split('::');
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').flatMap((group) => groupsOf(group));
  const front = parse(head);
  const back = tail === undefined ? [] : parse(tail);
  const zeros = new Array<number>(8 - front.length - back.length).fill(0);
  return tail === undefined ? front : [...front, ...zeros, ...back];
}

function groupsOf(group: string): number[] {
  if (!group.includes('.')) return [Number.parseInt(group, 16)];
  const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number);
  return [a * 256 + b, c * 256 + d];
}
