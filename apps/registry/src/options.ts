import { parseArgs } from 'node:util';

/** The command-line options. */
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

  --data-dir DIR       folder for the database and the token (${DEFAULTS.dataDir})
  --host ADDRESS       address to listen on (${DEFAULTS.host})
  --port N             port; 0 selects a free one (${DEFAULTS.port})
  --faults             enable fault injection and open the control listener
  --control-port N     port of the control listener; 0 selects a free one (${DEFAULTS.controlPort})
  --no-seed            start without the standard library
  --exit-with-parent   stop when standard input or the IPC channel closes
  --grace-ms N         time for running requests at shutdown (${DEFAULTS.graceMs})
  --help               print this help

  TEMPER_REGISTRY_TOKEN   token for publishing, at least 16 characters;
                          if unset, one is generated and stored in DIR/token
  OTEL_*                  as defined by OpenTelemetry
`;

function integer(flag: string, text: string | undefined, fallback: number, max: number): number {
  if (text === undefined) return fallback;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= 0 && value <= max)) {
    throw new RangeError(
      `--${flag} must be an integer from 0 to ${max}, not ${JSON.stringify(text)}.`,
    );
  }
  return value;
}

/**
 * Parses the command line.
 *
 * @returns the options, or `'help'` for `--help`
 * @throws {RangeError | TypeError} for an unknown flag or an invalid value
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
