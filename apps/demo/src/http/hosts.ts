import { isIPv6 } from 'node:net';

const OF_THIS_MACHINE = ['localhost', '127.0.0.1', '[::1]'];

/** What the `Host` field of a request says: one of the accepted names, another one, or several. */
export type HostVerdict = 'accepted' | 'unknown' | 'repeated';

/** The host names that a server accepts, against DNS rebinding: those of this machine, and some more. */
export class Hosts {
  readonly #names: ReadonlySet<string>;

  /** @param names - host names and addresses, without port */
  constructor(names: readonly string[]) {
    this.#names = new Set([...OF_THIS_MACHINE, ...names].map((name) => inHost(name)));
  }

  /** @param rawHeaders - names and values in turn: Node drops all but the first `Host` elsewhere */
  judge(rawHeaders: readonly string[]): HostVerdict {
    const hosts = rawHeaders.filter(
      (_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === 'host',
    );
    if (hosts.length > 1) return 'repeated';
    const name = (hosts[0] ?? '').toLowerCase().replace(/:\d{1,5}$/, '');
    return this.#names.has(name) ? 'accepted' : 'unknown';
  }
}

/** A name or an address as a `Host` field has it: an IPv6 address in brackets. */
function inHost(name: string): string {
  return isIPv6(name) ? `[${name.toLowerCase()}]` : name.toLowerCase();
}
