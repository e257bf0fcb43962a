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
import { hopsOf } from './forwarded.ts';
import { warnLoudly } from './warning.ts';

/** How the address of a client is found. */
export interface ClientAddressOptions {
  /**
   * Your own proxies: addresses, networks (`10.0.0.0/8`, `fd00::/8`), the ranges `loopback`, `linklocal`
   * and `uniquelocal`, and `unix` for one that connects by a local socket; or how many of them a request
   * passes, one after the other. Only their {@link forwardedHeader} is trusted. Without it the address
   * is the framework's own (`req.ip` of Express and Fastify, by their `trust proxy` and `trustProxy`),
   * or that of the connection, whatever a client writes into its headers.
   *
   * A count is for proxies whose addresses are not known. A client that can reach the server past one of
   * them can claim any address.
   *
   * @defaultValue none
   * @throws {TypeError} at construction, unless a list in which each is one of these, or a number
   * @throws {RangeError} at construction, when a count is not an integer from 1 to 32
   */
  readonly trustedProxies?: readonly string[] | number;
  /**
   * Header to which your proxies append the address of the client. `forwarded` is read as RFC 7239 says,
   * any other as a list of addresses.
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

/** What is known about where a request came from. */
export interface RequestOrigin {
  /** Address of the other end of the connection; `undefined` for a local socket. */
  readonly remote: string | undefined;
  /** The client's address by the framework's own settings, where it has any. */
  readonly framework?: string | undefined;
  /** Reads a header of the request, by its lower-case name. */
  header(name: string): string | undefined;
}

/** Networks by name, as in Express' `trust proxy`. */
const RANGES: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/** Most proxies that can be counted. */
const MAX_HOPS = 32;

/** Fields in which proxies usually write the address of a client. */
const USUAL_HEADERS = ['x-forwarded-for', 'forwarded'];

/** Finds the address that a request came from. */
export class ClientAddress {
  readonly #owner: string;
  readonly #trusted: Network[] = [];
  readonly #trustsUnix: boolean;
  /** Proxies that are trusted by their number alone. */
  readonly #hops: number;
  readonly #header: string;
  readonly #ipv6Prefix: number;
  /** Whether the framework's own settings hold, as none are given here. */
  readonly #unset: boolean;
  #warned = false;

  constructor(owner: string, options: ClientAddressOptions) {
    const { trustedProxies = [], forwardedHeader = 'x-forwarded-for', ipv6Prefix = 64 } = options;
    this.#owner = owner;
    const counted = typeof trustedProxies === 'number';
    this.#hops = counted
      ? checkNumber(owner, 'trustedProxies', trustedProxies, {
          min: 1,
          max: MAX_HOPS,
          integer: true,
        })
      : 0;
    const listed = counted ? [] : checkList(owner, trustedProxies);
    checkType(owner, 'forwardedHeader', forwardedHeader, 'string');
    for (const proxy of listed) if (proxy !== 'unix') this.#trust(owner, proxy);
    this.#trustsUnix = listed.includes('unix');
    this.#header = forwardedHeader.toLowerCase();
    this.#ipv6Prefix = checkNumber(owner, 'ipv6Prefix', ipv6Prefix, {
      min: 1,
      max: 128,
      integer: true,
    });
    this.#unset = options.trustedProxies === undefined;
  }

  #trust(owner: string, proxy: string): void {
    const range = Object.hasOwn(RANGES, proxy) ? RANGES[proxy]! : [proxy];
    for (const each of range) {
      const network = parseNetwork(each);
      if (network === undefined) {
        throw new TypeError(
          `${owner}: trustedProxies must be addresses, networks, 'loopback', 'linklocal', 'uniquelocal' or 'unix', got ${show(proxy)}.`,
        );
      }
      this.#trusted.push(network);
    }
  }

  /**
   * The client behind a connection: the nearest address that is not one of a trusted proxy.
   *
   * @returns an address, or a network for IPv6; `undefined` when there is none
   */
  of(origin: RequestOrigin): string | undefined {
    const nearest = origin.remote === undefined ? undefined : plain(origin.remote);
    const client = this.#unset
      ? this.#ofFramework(origin, nearest)
      : this.#behind(nearest, origin.header(this.#header) ?? '');
    return client === undefined ? undefined : this.#network(client);
  }

  /** The nearest hop that no trusted proxy has. */
  #behind(nearest: Address | undefined, forwarded: string): Address | undefined {
    if (!this.#passes(nearest, 0)) return nearest;
    const hops = hopsOf(this.#header, forwarded);
    let client = nearest;
    for (let passed = 0; passed < hops.length && this.#passes(client, passed); passed++) {
      const hop = plain(hops[hops.length - 1 - passed]!);
      // Only addresses are written by a trusted proxy; what is left of anything else is not trusted.
      if (hop === undefined) break;
      client = hop;
    }
    return client;
  }

  /** Whether `address`, which is `passed` hops away, is a trusted proxy's. */
  #passes(address: Address | undefined, passed: number): boolean {
    if (this.#hops > 0) return passed < this.#hops;
    return address === undefined ? this.#trustsUnix : this.#isTrusted(address);
  }

  #ofFramework(origin: RequestOrigin, nearest: Address | undefined): Address | undefined {
    const own = origin.framework === undefined ? undefined : plain(origin.framework);
    if (!this.#warned && (own === undefined || String(own) === String(nearest))) this.#warn(origin);
    return origin.framework === undefined ? nearest : own;
  }

  /** All clients behind a proxy that is not named share its address, and one limit. Said once. */
  #warn({ header }: RequestOrigin): void {
    const seen = [...USUAL_HEADERS, this.#header].find((name) => header(name) !== undefined);
    if (seen === undefined) return;
    this.#warned = true;
    warnLoudly(
      'TEMPER_UNTRUSTED_PROXY',
      `${this.#owner}: a request has the header ${show(seen)}, and no proxy is trusted: it is limited by the address of the connection. If that is the address of your proxy, all clients behind it share one limit: name the proxy in trustedProxies, or in the framework's own setting. If clients reach this server directly, trustedProxies: [] says so.`,
    );
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

function checkList(owner: string, trustedProxies: unknown): readonly string[] {
  if (Array.isArray(trustedProxies) && trustedProxies.every((each) => typeof each === 'string')) {
    return trustedProxies;
  }
  throw new TypeError(
    `${owner}: trustedProxies must be a list of strings or a number, got ${show(trustedProxies)}.`,
  );
}

/** Without a port, brackets or zone; `undefined` unless it is an address. */
function plain(text: string): Address | undefined {
  const bare = /^\[(.*)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  return parseAddress(bare.split('%')[0]!);
}
