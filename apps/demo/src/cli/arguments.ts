import { parseArgs } from 'node:util';

/** What the command line asks for. */
export interface CommandLine {
  readonly command: 'serve' | 'scenario' | 'list' | 'help';
  readonly scenario: string | undefined;
  /** Ends when the scenario has ended, and exits by its promises. */
  readonly once: boolean;
  /** The result as one JSON object, the last line of standard output. */
  readonly json: boolean;
  readonly host: string;
  readonly port: number;
  /** Host names, besides those of this machine, by which the service may be called. */
  readonly allowedHosts: readonly string[];
  /** A YAML file of settings over the demo's. */
  readonly settings: string | undefined;
  readonly dataDir: string;
  /** Requests of one client per minute; undefined for the default. */
  readonly clientLimit: number | undefined;
  /** Whether the service makes ordinary load for itself, so that there is something to see. */
  readonly load: boolean;
}

/** The command line cannot be understood. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const DEFAULT_PORT = 8080;

export const USAGE = `A ParserCraft service, hardened with Temper.

  npm start                                       the service and its page
  npm start -- --scenario NAME                    run a scenario, and say what is promised and held
  npm start -- --scenario NAME --once --json      the same for machines: the last line is JSON, and the
                                                  exit code 0 when every promise was held
  npm start -- --list                             the scenarios

  --port N            port of the service; the next free one when it is taken (8080, or PORT)
  --host ADDRESS      address to listen on (127.0.0.1)
  --allow-host NAME   a name, besides this machine's own, by which it may be called; repeatable
  --settings FILE     values of the guards in YAML, over those of the demo
  --data-dir DIR      where registry and audit log keep their files (.demo-data)
  --client-limit N    requests of one client per minute (1200)
  --no-load           make no load but what comes over HTTP
  --help

OpenTelemetry's variables keep their meaning: OTEL_EXPORTER_OTLP_ENDPOINT sends traces,
OTEL_EXPORTER_PROMETHEUS_PORT moves the metrics (127.0.0.1:9464), OTEL_SDK_DISABLED=true ends both.
PARSERCRAFT_JAEGER_URL is where the page links traces to, such as http://127.0.0.1:16686.
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
  'data-dir': { type: 'string', default: '.demo-data' },
  load: { type: 'boolean', default: true },
} as const;

/** @throws {UsageError} when something is unknown or out of range */
export function parseCommandLine(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): CommandLine {
  const { values } = read(argv);
  if ((values.once || values.json) && values.scenario === undefined && !values.list) {
    throw new UsageError('--once and --json belong to a --scenario.');
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
    load: values.load,
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

function limitOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,7}$/.test(text) && Number(text) >= 1) return Number(text);
  throw new UsageError(`--client-limit must be a number from 1 to 9999999, got '${text}'.`);
}
