/**
 * An address as eight groups of 16 bits. IPv4 addresses are written as what IPv6 maps them to
 * (`::ffff:0:0/96`), so that one address has one value in every spelling.
 */
export type Address = readonly number[];

/** A network: the addresses that agree with `address` in the first `bits` bits. */
export interface Network {
  readonly address: Address;
  readonly bits: number;
}

/** Bits before an IPv4 address in the IPv6 address that stands for it. */
const MAPPED_BITS = 96;

/** @returns the address; `undefined` unless `text` is an IPv4 or IPv6 address without zone or port */
export function parseAddress(text: string): Address | undefined {
  return text.includes(':') ? parseIpv6(text) : mapIpv4(parseIpv4(text));
}

/** @returns the network; `undefined` unless `text` is an address, or an address and a prefix length */
export function parseNetwork(text: string): Network | undefined {
  const [host = '', length, ...rest] = text.split('/');
  const address = parseAddress(host);
  const before = host.includes(':') ? 0 : MAPPED_BITS;
  if (address === undefined || rest.length > 0) return undefined;
  if (length === undefined) return { address, bits: 128 };
  if (!/^\d{1,3}$/.test(length)) return undefined;
  const bits = before + Number(length);
  return bits > 128 ? undefined : { address, bits };
}

/** Whether the address is in the network. */
export function isIn(address: Address, network: Network): boolean {
  return network.address.every((group, i) => {
    const mask = maskOf(network.bits, i);
    return (group & mask) === ((address[i] ?? 0) & mask);
  });
}

/** The first 96 bits of addresses that stand for IPv4 ones: mapped (RFC 4291), and NAT64 (RFC 6052). */
const IPV4_PREFIXES: readonly string[] = ['0,0,0,0,0,65535', '100,65435,0,0,0,0'];

/** The IPv4 address that this address stands for, in its usual notation. */
export function ipv4Of(address: Address): string | undefined {
  if (!IPV4_PREFIXES.includes(address.slice(0, 6).join())) return undefined;
  const [high = 0, low = 0] = address.slice(6);
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
}

/** An IPv6 address in the notation of RFC 5952: lower case, the longest run of zeros left out. */
export function formatIpv6(address: Address): string {
  const text = address.map((group) => group.toString(16)).join(':');
  const runs = text.match(/(?<![^:])0(?::0)+(?![^:])/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  if (longest === '') return text;
  const at = text.search(new RegExp(`(?<![^:])${longest}(?![^:])`));
  const [before, after] = [text.slice(0, at), text.slice(at + longest.length)];
  return `${before.replace(/:$/, '')}::${after.replace(/^:/, '')}`;
}

/** The network of an IPv6 address in full notation, such as `2001:db8:0:0:0:0:0:0/64`. */
export function formatNetwork(address: Address, bits: number): string {
  const kept = address.map((group, i) => (group & maskOf(bits, i)).toString(16));
  return `${kept.join(':')}/${bits}`;
}

function maskOf(bits: number, group: number): number {
  const kept = Math.min(16, Math.max(0, bits - 16 * group));
  return (0xffff << (16 - kept)) & 0xffff;
}

function parseIpv4(text: string): number[] | undefined {
  const parts = text.split('.');
  // Leading zeros mean octal to some readers: such an address is none.
  const valid = parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256);
  return parts.length === 4 && valid ? parts.map(Number) : undefined;
}

function mapIpv4(bytes: number[] | undefined): Address | undefined {
  return bytes && [0, 0, 0, 0, 0, 0xffff, ...groupsOf(bytes)];
}

function groupsOf([a = 0, b = 0, c = 0, d = 0]: number[]): number[] {
  return [a * 256 + b, c * 256 + d];
}

function parseIpv6(text: string): Address | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half, i) => parseGroups(half, i === halves.length - 1));
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === 8 ? head : undefined;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined || missing < 1) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** @param last - whether the address ends here, where IPv4 notation is allowed */
function parseGroups(text: string, last: boolean): number[] | undefined {
  if (text === '') return [];
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (last && i === parts.length - 1 && part.includes('.')) {
      const bytes = parseIpv4(part);
      if (bytes === undefined) return undefined;
      groups.push(...groupsOf(bytes));
    } else if (/^[\da-f]{1,4}$/i.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      return undefined;
    }
  }
  return groups;
}
