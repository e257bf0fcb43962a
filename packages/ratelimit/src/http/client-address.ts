import { checkNumber, checkType, show } from '@temper/core/policy';
import {
  type Address,
  formatIpv6,
  formatNetwork,
  ipv4Of,
  isIn,
  type Network,
  parseAddress,
  parseNetwork,
} from './addresses.ts';

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
  readonly #trusted: Network[] = [];
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
    const network = parseNetwork(proxy);
    if (network === undefined) {
      throw new TypeError(
        `${owner}: trustedProxies must be addresses, networks or 'unix', got ${show(proxy)}.`,
      );
    }
    this.#trusted.push(network);
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
      if (hop === undefined) break;
      client = hop;
      if (!this.#isTrusted(hop)) break;
    }
    return client === undefined ? undefined : this.#network(client);
  }

  #isTrusted(address: Address): boolean {
    return this.#trusted.some((network) => isIn(address, network));
  }

  #network(address: Address): string {
    const ipv4 = ipv4Of(address);
    if (ipv4 !== undefined) return ipv4;
    return this.#ipv6Prefix === 128
      ? formatIpv6(address)
      : formatNetwork(address, this.#ipv6Prefix);
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

/** Without a port, brackets or zone; `undefined` unless it is an address. */
function plain(text: string): Address | undefined {
  const bare = /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  return parseAddress(bare.split('%')[0]!);
}
