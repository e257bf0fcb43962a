import { parseArgs } from 'node:util';

/** How the process was asked to run. */
export interface ServeOptions {
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  readonly controlPort: number;
  readonly faults: boolean;
  readonly seed: boolean;
  readonly exitWithParent: boolean;
  readonly graceMs: number;
}

export const DEFAULTS = {
  dataDir: '.registry-data',
  host: '127.0.0.1',
  port: 4810,
  controlPort: 0,
  graceMs: 5_000,
} as const;

export const USAGE: string = `Usage: node main.js [options]

  --data-dir DIR       where the database and the token are kept (${DEFAULTS.dataDir})
  --host ADDRESS       address to listen on (${DEFAULTS.host})
  --port N             port, 0 for a free one (${DEFAULTS.port})
  --faults             allow faults to be switched on, and open the control listener
  --control-port N     port of the control listener, 0 for a free one (${DEFAULTS.controlPort})
  --no-seed            start without the standard library
  --exit-with-parent   stop when standard input or the IPC channel closes
  --grace-ms N         longest wait for running requests at the end (${DEFAULTS.graceMs})
  --help               print this

  TEMPER_REGISTRY_TOKEN   the token that publishing needs, at least 16 characters;
                          without it one is generated and stored in DIR/token
  OTEL_*                  as OpenTelemetry defines them
`;

function integer(flag: string, text: string | undefined, fallback: number, max: number): number {
  if (text === undefined) return fallback;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 0 && value <= max)) {
    throw new RangeError(
      `--${flag} must be an integer from 0 to ${max}; it is ${JSON.stringify(text)}.`,
    );
  }
  return value;
}

/**
 * Reads the command line.
 *
 * @returns the options, or `'help'` when they were asked for
 * @throws {RangeError | TypeError} naming the flag, what it may be and what it is
 */
export function parseOptions(argv: readonly string[]): ServeOptions | 'help' {
  const { values } = parseArgs({
    args: [...argv],
    allowNegative: true,
    options: {
      'data-dir': { type: 'string' },
      host: { type: 'string' },
      port: { type: 'string' },
      'control-port': { type: 'string' },
      faults: { type: 'boolean' },
      seed: { type: 'boolean' },
      'exit-with-parent': { type: 'boolean' },
      'grace-ms': { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return 'help';
  return {
    dataDir: values['data-dir'] ?? DEFAULTS.dataDir,
    host: values.host ?? DEFAULTS.host,
    port: integer('port', values.port, DEFAULTS.port, 65_535),
    controlPort: integer('control-port', values['control-port'], DEFAULTS.controlPort, 65_535),
    faults: values.faults ?? false,
    seed: values.seed ?? true,
    exitWithParent: values['exit-with-parent'] ?? false,
    graceMs: integer('grace-ms', values['grace-ms'], DEFAULTS.graceMs, 600_000),
  };
}
