import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { messageOf } from '@temper/core/policy';
import { AuditCorruptError } from '../errors.ts';
import { BundleSource } from '../read/evidence/bundle-source.ts';
import type { RecordedReads } from '../read/recorded-reads.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { VERSION } from '../version.ts';
import { bundleCommand } from './bundle-command.ts';
import { checkpointCommand, newKeyCommand } from './checkpoint-command.ts';
import { EXIT, type ExitCode, UsageError } from './exit-codes.ts';
import { exportCommand } from './export-command.ts';
import { FILTER_OPTIONS, SOURCE_OPTIONS, type Values } from './filters.ts';
import { COMMAND_NAMES, help } from './help.ts';
import { type Io, styler } from './io.ts';
import { migrateCommand } from './migrate-command.ts';
import { openSource } from './open-source.ts';
import { queryCommand } from './query-command.ts';
import { openRecording, RECORD_OPTIONS } from './recording.ts';
import { tailCommand } from './tail-command.ts';
import { verifyBundleCommand } from './verify-bundle-command.ts';
import { verifyCommand } from './verify-command.ts';
import { WITNESS_OPTIONS, witnessCommand } from './witness-command.ts';

interface Command {
  readonly options: ParseArgsOptionsConfig;
  run(
    source: AuditSource,
    location: string,
    values: Values,
    io: Io,
    reads: RecordedReads,
  ): Promise<ExitCode>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  verify: {
    options: {
      key: { type: 'string', multiple: true },
      'key-file': { type: 'string', multiple: true },
      checkpoint: { type: 'string', multiple: true },
      origin: { type: 'string' },
      log: { type: 'string' },
      size: { type: 'string' },
      witness: { type: 'string', multiple: true },
      'witness-key': { type: 'string', multiple: true },
      quorum: { type: 'string' },
      'max-bytes': { type: 'string' },
      json: { type: 'boolean' },
    },
    run: (source, location, values, io) =>
      source instanceof BundleSource
        ? verifyBundleCommand(location, values, io)
        : verifyCommand(source, location, values, io),
  },
  bundle: {
    options: {
      ...RECORD_OPTIONS,
      from: { type: 'string' },
      to: { type: 'string' },
      out: { type: 'string' },
      key: { type: 'string', multiple: true },
      'key-file': { type: 'string', multiple: true },
      checkpoint: { type: 'string', multiple: true },
      origin: { type: 'string' },
      witness: { type: 'string', multiple: true },
      'witness-key': { type: 'string', multiple: true },
      quorum: { type: 'string' },
    },
    run: (source, _, values, io, reads) => bundleCommand(source, reads, values, io),
  },
  query: {
    options: {
      ...RECORD_OPTIONS,
      ...FILTER_OPTIONS,
      limit: { type: 'string' },
      order: { type: 'string' },
      cursor: { type: 'string' },
      json: { type: 'boolean' },
    },
    run: (_source, _location, values, io, reads) => queryCommand(reads, values, io),
  },
  tail: {
    options: {
      ...RECORD_OPTIONS,
      ...FILTER_OPTIONS,
      lines: { type: 'string', short: 'n' },
      follow: { type: 'boolean', short: 'f' },
      json: { type: 'boolean' },
    },
    run: (source, _, values, io, reads) => tailCommand(source, reads, values, io),
  },
  export: {
    options: {
      ...RECORD_OPTIONS,
      ...FILTER_OPTIONS,
      format: { type: 'string' },
      name: { type: 'string' },
      source: { type: 'string' },
      service: { type: 'string' },
    },
    run: (_source, _location, values, io, reads) => exportCommand(reads, values, io),
  },
  migrate: {
    options: { to: { type: 'string' }, id: { type: 'string' } },
    run: (source, _, values, io) => migrateCommand(source, values, io),
  },
  checkpoint: {
    options: {
      sign: { type: 'boolean' },
      'key-file': { type: 'string' },
      key: { type: 'string', multiple: true },
      checkpoint: { type: 'string', multiple: true },
      origin: { type: 'string' },
      'new-key': { type: 'string' },
    },
    run: (source, _, values, io) => checkpointCommand(source, values, io),
  },
};

/** Longest error message, in UTF-16 code units: one can list all options, or all writers. */
const MAX_MESSAGE = 2_048;

/** Runs the command line and returns its exit code. Never rejects. */
export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  try {
    return await dispatch(args, io);
  } catch (error) {
    const [code, hint] = classify(error, io);
    if (code === EXIT.interrupted) return code;
    const style = styler(io.stderr, io.env);
    const message = messageOf(error, MAX_MESSAGE);
    await io.stderr.write(`${style('red', 'temper-audit:')} ${message}\n${hint}`);
    return code;
  }
}

async function dispatch(args: readonly string[], io: Io): Promise<ExitCode> {
  const [name, ...rest] = args;
  if (name === 'witness') return dispatchWitness(rest, io);
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    await (name === undefined ? io.stderr : io.stdout).write(help(rest[0]));
    return name === undefined ? EXIT.usage : EXIT.ok;
  }
  if (name === '--version') {
    await io.stdout.write(`${VERSION}\n`);
    return EXIT.ok;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    throw new UsageError(`Unknown command '${name}'; known are ${COMMAND_NAMES.join(', ')}.`);
  }
  const { values, positionals } = parse(command.options, rest);
  if (values.help === true) {
    await io.stdout.write(help(name));
    return EXIT.ok;
  }
  if (values['new-key'] !== undefined) return newKeyCommand(values['new-key'] as string, io);
  const [location, ...more] = positionals;
  if (location === undefined || more.length > 0)
    throw new UsageError(`${name} requires exactly one log.`);
  const opened = await openSource(location, values as { writer?: string; schema?: string });
  try {
    await using recording = openRecording(opened.source, values);
    return await command.run(opened.source, location, values, io, recording.reads);
  } finally {
    await opened.close();
  }
}

/** `witness` is the command that has no log. */
async function dispatchWitness(args: readonly string[], io: Io): Promise<ExitCode> {
  const { values, positionals } = parse(WITNESS_OPTIONS, args);
  if (values.help !== true) return witnessCommand(positionals, values, io);
  await io.stdout.write(help('witness'));
  return EXIT.ok;
}

function parse(
  options: ParseArgsOptionsConfig,
  args: readonly string[],
): { readonly values: Values; readonly positionals: readonly string[] } {
  try {
    return parseArgs({
      args: [...args],
      options: { ...SOURCE_OPTIONS, ...options },
      allowPositionals: true,
    }) as { values: Values; positionals: string[] };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function classify(error: unknown, io: Io): readonly [ExitCode, string] {
  if (error instanceof UsageError) return [EXIT.usage, "Run 'temper-audit --help' for usage.\n"];
  if (io.signal.aborted) return [EXIT.interrupted, ''];
  return [error instanceof AuditCorruptError ? EXIT.invalidLog : EXIT.unreadable, ''];
}
