import { messageOf } from '@temper/core/policy';
import { AuditCorruptError } from '../errors.ts';
import { migrateLog } from '../log/migrate.ts';
import { fileSink } from '../sinks/file/file-sink.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { sqliteSink } from '../sinks/sqlite/sqlite-sink.ts';
import { asUsageError, EXIT, type ExitCode, UsageError } from './exit-codes.ts';
import type { Values } from './filters.ts';
import type { Io } from './io.ts';

/** `migrate`: copies a log of the format 1 into a new log of the present format. */
export async function migrateCommand(
  source: AuditSource,
  values: Values,
  io: Io,
): Promise<ExitCode> {
  const to = values.to as string | undefined;
  if (to === undefined || to === '') {
    throw new UsageError('migrate requires --to with a new directory, or a new database (*.db).');
  }
  const sink = to.endsWith('.db') ? sqliteSink({ path: to }) : fileSink({ directory: to });
  try {
    const { events, log, sequence } = await migrateLog(source, sink, values.id as string);
    await io.stdout.write(
      `copied ${events} events, the last with the sequence ${sequence}, to the log ${log}\n`,
    );
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof AuditCorruptError)) throw asUsageError(error);
    await io.stderr.write(`Not migrated: ${messageOf(error)}\n`);
    return EXIT.invalidLog;
  }
}
