import { connect } from 'node:net';
import { checkNumber } from '@temper/core';
import type { HealthCheck } from '../check-options.ts';
import { type BuiltInCheckOptions, builtIn, checkText } from './built-in.ts';

/** Options of {@link tcpCheck}. */
export interface TcpCheckOptions extends BuiltInCheckOptions {
  /** Host name or address. @defaultValue '127.0.0.1' */
  readonly host?: string;
  /**
   * Port number.
   *
   * @throws {RangeError} at construction, unless an integer from 1 to 65 535
   */
  readonly port: number;
}

const OWNER = 'tcpCheck';

/**
 * Checks whether an address accepts TCP connections. Opens a connection and closes it.
 *
 * @throws {TypeError | RangeError} when an option is missing, unknown or out of range
 */
export function tcpCheck(options: TcpCheckOptions): HealthCheck {
  const host = options.host ?? '127.0.0.1';
  checkText(OWNER, 'host', host);
  const port = checkNumber(OWNER, 'port', options.port, { min: 1, max: 65_535, integer: true });
  return builtIn(OWNER, options, ['host', 'port'], {
    name: 'tcp',
    dependency: true,
    check: ({ signal }) =>
      new Promise((resolve, reject) => {
        const socket = connect({ host, port, signal });
        socket.on('error', reject);
        socket.once('connect', () => {
          socket.destroy();
          resolve({ message: `${host}:${port} accepts connections` });
        });
      }),
  });
}
