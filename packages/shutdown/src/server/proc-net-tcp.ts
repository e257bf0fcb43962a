import { readFileSync } from 'node:fs';

/** States of a connection in `/proc/net/tcp`. */
export const State = { Established: '01', Handshake: '03', Listen: '0A' } as const;

/** A line of `/proc/net/tcp`. */
export interface Row {
  /** Of this machine, in hexadecimal digits. */
  readonly address: string;
  readonly remotePort: number;
  readonly state: string;
  /** Bytes that were not read yet; of a listener, the connections in its accept queue. */
  readonly received: number;
}

/**
 * The TCP connections and listeners of this network namespace whose local port it is. There may be very
 * many others.
 *
 * @throws Error where the kernel does not tell
 */
export function connectionsTo(port: number): Row[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const line = new RegExp(`^ *\\d+: (\\w+):${hex} \\w+:(\\w{4}) (\\w\\w) \\w+:(\\w+) `, 'gm');
  return ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((path) =>
    [...readFileSync(path, 'latin1').matchAll(line)].map(
      ([, address = '', remote = '', state = '', received = '']) => ({
        address,
        remotePort: Number.parseInt(remote, 16),
        state,
        received: Number.parseInt(received, 16),
      }),
    ),
  );
}
