import { parseArgs } from 'node:util';

/** The parsed command line. */
export interface CommandLine {
  readonly command: 'serve' | 'scenario' | 'list' | 'help';
  readonly scenario: string | undefined;
  /** Exits after the scenario, with code 0 only when every promise was kept. */
  readonly once: boolean;
  /** Prints the result as one JSON object on the last line of standard output. */
  readonly json: boolean;
  readonly host: string;
  readonly port: number;
  /** Host names that the service accepts in addition to those of this machine. */
  readonly allowedHosts: readonly string[];
  /** Path of a YAML file whose settings override those of the demo. */
  readonly settings: string | undefined;
  /** Directory for the registry and the audit log; undefined for the default. */
  readonly dataDir: string | undefined;
  /** URL of a Redis or Valkey server that shares the client limit; undefined for none. */
  readonly store: string | undefined;
  /** Requests allowed per client and minute; undefined for the default. */
  readonly clientLimit: number | undefined;
  /** Token of the operator; undefined for a random one. */
  readonly token: string | undefined;
  /** Whether the service generates background load, so that the page has data to show. */
  readonly load: boolean;
}

/** The command line is invalid. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const DEFAULT_PORT = 8080;

export const USAGE = `A ParserCraft service, protected by Temper.

  npm start                                    start the service and its page
  npm start -- --scenario NAME                 run a scenario and check its promises
  npm start -- --scenario NAME --once --json   same, with JSON on the last line of the output;
                                               exit code 0 when every promise was kept
  npm start -- --list                          list the scenarios

  --port N            port of the service (default: PORT, else 8080); the next free port if in use
  --host ADDRESS      address to listen on (default: 127.0.0.1)
  --allow-host NAME   accept requests for this host name too; repeatable
  --settings FILE     YAML file that overrides settings of the policies
  --data-dir DIR      directory for the registry and the audit log (default: .demo-data, or
                      .demo-data-2 and so on beside other services)
  --client-limit N    requests allowed per client and minute (default: 1200)
  --store URL         redis:// URL of a store that shares the client limit between instances
  --no-load           do not generate background load
  --help              show this help

The standard OpenTelemetry variables apply: OTEL_EXPORTER_OTLP_ENDPOINT exports traces,
OTEL_EXPORTER_PROMETHEUS_PORT changes the metrics port (default: 9464), and OTEL_SDK_DISABLED=true
disables both. Set PARSERCRAFT_JAEGER_URL, for example to http://127.0.0.1:16686, to link traces
from the page to Jaeger. PARSERCRAFT_TOKEN sets the token of the operator, which is random otherwise.
`;

const OPTIONS = {
  scenario: { type: 'string' },
  once: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
  host: { type: 'string', default: '127.0.0.1' },
  port: { type: 'string' },
  'allow-host': { type: 'string', multiple: true },
  settings: { type: 'string' },
  'client-limit': { type: 'string' },
  store: { type: 'string' },
  'data-dir': { type: 'string' },
  load: { type: 'boolean', default: true },
} as const;

/** @throws {UsageError} when a flag is unknown or a value is out of range */
export function parseCommandLine(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): CommandLine {
  const { values } = read(argv);
  if ((values.once || values.json) && values.scenario === undefined && !values.list) {
    throw new UsageError('--once and --json require --scenario.');
  }
  const command = values.help
    ? 'help'
    : values.list
      ? 'list'
      : values.scenario === undefined
        ? 'serve'
        : 'scenario';
  return {
    command,
    scenario: values.scenario,
    once: values.once,
    json: values.json,
    host: values.host,
    port: portOf(values.port, env.PORT),
    allowedHosts: values['allow-host'] ?? [],
    settings: values.settings,
    clientLimit: limitOf(values['client-limit']),
    dataDir: values['data-dir'],
    store: storeOf(values.store),
    load: values.load,
    token: tokenOf(env.PARSERCRAFT_TOKEN),
  };
}

function read(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options: OPTIONS, allowNegative: true, strict: true });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function portOf(flag: string | undefined, variable: string | undefined): number {
  const [name, text] = flag === undefined ? ['PORT', variable] : ['--port', flag];
  if (text === undefined || text === '') return DEFAULT_PORT;
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65_535) return Number(text);
  throw new UsageError(`${name} must be a port from 0 to 65535, got '${text}'.`);
}

function tokenOf(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^[A-Za-z0-9._~-]{16,256}$/.test(text)) return text;
  throw new UsageError(
    'PARSERCRAFT_TOKEN must have 16 to 256 of the characters A-Z, a-z, 0-9, ".", "_", "~" and "-".',
  );
}

function storeOf(text: string | undefined): string | undefined {
  if (text === undefined || /^rediss?:\/\/./.test(text)) return text;
  throw new UsageError(`--store must be a redis:// or rediss:// URL, got '${text}'.`);
}

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,7}$/.test(text) && Number(text) >= 1) return Number(text);
  throw new UsageError(`--client-limit must be a number from 1 to 9999999, got '${text}'.`);
}
