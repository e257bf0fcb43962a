import { userInfo } from 'node:os';
import { auditLog } from '../log/durable-log.ts';
import { exportEvents } from '../read/export/export-events.ts';
import { queryPage, streamEvents } from '../read/query.ts';
import { type RecordedReads, recordedReads } from '../read/recorded-reads.ts';
import { fileSink } from '../sinks/file/file-sink.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { sqliteSink } from '../sinks/sqlite/sqlite-sink.ts';
import { UsageError } from './exit-codes.ts';
import type { Options, Values } from './filters.ts';

/** Options of the commands that show events. */
export const RECORD_OPTIONS: Options = {
  record: { type: 'string' },
  reader: { type: 'string' },
};

/** Reads of a command. */
interface Recording extends AsyncDisposable {
  readonly reads: RecordedReads;
}

/**
 * The functions by which a command reads: recorded with `--record`, and then refused if they cannot be.
 *
 * @throws {UsageError} if there is a reader without a record
 */
export function openRecording(source: AuditSource, values: Values): Recording {
  const path = values.record as string | undefined;
  const given = values.reader as string | undefined;
  if (path === undefined) {
    if (given !== undefined) throw new UsageError('--reader requires --record.');
    return { reads: unrecorded(source), [Symbol.asyncDispose]: async () => undefined };
  }
  if (path === '' || given === '') throw new UsageError('--record and --reader must not be empty.');
  const sink = path.endsWith('.db') ? sqliteSink({ path }) : fileSink({ directory: path });
  const log = auditLog({ name: 'reads', sinks: [sink] });
  const reader = given ?? { id: userInfo().username, type: 'os-user' };
  return {
    reads: recordedReads(source, { log, reader }),
    // Every event was acknowledged, or the command has failed already.
    [Symbol.asyncDispose]: () => log.close().catch(() => undefined),
  };
}

function unrecorded(source: AuditSource): RecordedReads {
  return {
    query: (query = {}) => queryPage(source, query),
    stream: (query) => streamEvents(source, query),
    export: (options) => exportEvents(source, options),
    record: (_action, _details, parts) => parts,
  };
}
