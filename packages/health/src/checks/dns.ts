import { lookup, Resolver } from 'node:dns/promises';
import { type OptionRule, show } from '@temper/core/policy';
import type { HealthCheck } from '../check-options.ts';
import { type BuiltInCheckOptions, resolveCheckOptions, textRule } from './built-in.ts';

/** Options of {@link dnsCheck}. */
export interface DnsCheckOptions extends BuiltInCheckOptions {
  /** The host name to resolve. */
  readonly hostname: string;
  /**
   * DNS servers as `address` or `address:port`. If given, they are queried for A and AAAA records.
   * Otherwise the name is resolved with `getaddrinfo`, which includes the hosts file, as a connection
   * would resolve it.
   *
   * @defaultValue none
   */
  readonly servers?: readonly string[];
}

const OWNER = 'dnsCheck';

const serversRule: OptionRule = (owner, option, value) => {
  if (!Array.isArray(value) || value.length === 0) {
    throw new TypeError(`${owner}: ${option} must be a list of addresses, got ${show(value)}.`);
  }
  for (const server of value) textRule(owner, option, server);
};

/**
 * Checks whether a host name resolves to at least one address.
 *
 * @throws {TypeError} when an option is missing, unknown or invalid
 */
export function dnsCheck(options: DnsCheckOptions): HealthCheck {
  const { hostname, servers, ...common } = resolveCheckOptions<
    DnsCheckOptions,
    'hostname' | 'servers'
  >(OWNER, options, {}, { hostname: textRule, servers: serversRule });
  textRule(OWNER, 'hostname', hostname);
  return {
    name: 'dns',
    dependency: true,
    check: async ({ signal }) => {
      const addresses =
        servers === undefined
          ? (await lookup(hostname, { all: true })).map(({ address }) => address)
          : await query(hostname, servers, signal);
      return {
        message: `${hostname} resolves to ${addresses.length} addresses`,
        observed: { name: 'addresses', value: addresses.length },
        details: { addresses },
      };
    },
    ...common,
  };
}

async function query(
  hostname: string,
  servers: readonly string[],
  signal: AbortSignal,
): Promise<string[]> {
  const resolver = new Resolver();
  resolver.setServers(servers);
  signal.addEventListener('abort', () => resolver.cancel(), { once: true });
  const [v4, v6] = await Promise.allSettled([
    resolver.resolve4(hostname),
    resolver.resolve6(hostname),
  ]);
  const addresses = [v4, v6].flatMap((answer) =>
    answer.status === 'fulfilled' ? answer.value : [],
  );
  if (addresses.length === 0 && v4.status === 'rejected') throw v4.reason;
  return addresses;
}
