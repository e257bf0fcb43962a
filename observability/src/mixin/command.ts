import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ALERT_NAMES } from '../rules/alerts/index.ts';
import { DEFAULT_CONFIG, type MixinConfig } from './config.ts';
import { mixinFiles } from './mixin.ts';
import { readConfig } from './read-config.ts';

const USAGE = `Usage: npx @temper/observability mixin [--config FILE] [--out FOLDER] [--check]
       npx @temper/observability config

mixin   writes rules.yaml, alertmanager.yaml and dashboards/*.json into FOLDER, by default temper-mixin
        --config FILE   settings in JSON; see the README
        --check         writes nothing, and fails if a file is missing or differs
config  prints the default settings
`;

/** Where the command writes to. */
export interface Output {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/**
 * Runs the command.
 *
 * @param args - without the program
 * @returns the exit code: 0, 1 for a bad configuration or a difference, 2 for a mistake in the arguments
 */
export function run(args: readonly string[], { out, err }: Output): number {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    err(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  const { values, positionals } = parsed;
  if (values.help) {
    out(USAGE);
    return 0;
  }
  const [command, ...more] = positionals;
  if (command === 'config' && more.length === 0) {
    out(`${JSON.stringify(DEFAULT_CONFIG, null, 2)}\n`);
    return 0;
  }
  if (command !== 'mixin' || more.length > 0) {
    err(USAGE);
    return 2;
  }
  try {
    return write(configOf(values.config), values.out, values.check, { out, err });
  } catch (error) {
    err(`${values.config ?? values.out}: ${(error as Error).message}\n`);
    return 1;
  }
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      out: { type: 'string', default: 'temper-mixin' },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}

function configOf(file: string | undefined): MixinConfig {
  if (file === undefined) return DEFAULT_CONFIG;
  return readConfig(JSON.parse(readFileSync(file, 'utf8')), ALERT_NAMES);
}

function write(config: MixinConfig, folder: string, check: boolean, { out, err }: Output): number {
  let stale = 0;
  for (const [path, content] of mixinFiles(config)) {
    const file = join(folder, path);
    if (check) {
      if (current(file) === content) continue;
      stale++;
      err(`${file} is missing or differs\n`);
      continue;
    }
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    out(`wrote ${file}\n`);
  }
  return stale > 0 ? 1 : 0;
}

function current(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
