import { connect } from 'node:net';
import { numberRule } from '@temper/core/policy';
import type { HealthCheck } from '../check-options.ts';
import { type BuiltInCheckOptions, resolveCheckOptions, textRule } from './built-in.ts';

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
const portRule = numberRule({ min: 1, max: 65_535, integer: true });

/**
 * Checks whether an address accepts TCP connections. Opens a connection and closes it.
 *
 * @throws {TypeError | RangeError} when an option is missing, unknown or out of range
 */
export function tcpCheck(options: TcpCheckOptions): HealthCheck {
  const { host, port, ...common } = resolveCheckOptions<TcpCheckOptions, 'port'>(
    OWNER,
    options,
    { host: '127.0.0.1' },
    { host: textRule, port: portRule },
  );
  portRule(OWNER, 'port', port);
  return {
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
    ...common,
  };
}
