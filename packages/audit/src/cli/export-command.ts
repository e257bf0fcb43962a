import { parseLine } from '../chain/hash-chain.ts';
import { EXPORT_FORMATS, type ExportFormat } from '../read/export/export-events.ts';
import type { RecordedReads } from '../read/recorded-reads.ts';
import { CSV_HEADER, csvRecord } from './csv.ts';
import { asUsageError, EXIT, type ExitCode, UsageError } from './exit-codes.ts';
import { queryFrom, type Values } from './filters.ts';
import { type Io, verbatim } from './io.ts';

/** Lines per write. */
const BATCH = 500;

/** The format that the library does not have: it is for people, and cannot be verified. */
const CSV = 'csv';

/** `export`: prints matching events as lines of JSON, or as CSV. */
export async function exportCommand(
  reads: RecordedReads,
  values: Values,
  io: Io,
): Promise<ExitCode> {
  const given = (values.format as string | undefined) ?? 'jsonl';
  const formats = [...EXPORT_FORMATS, CSV];
  if (!formats.includes(given)) {
    throw new UsageError(`--format must be one of ${formats.join(', ')}, got '${given}'.`);
  }
  const csv = given === CSV;
  const format = csv ? 'jsonl' : (given as ExportFormat);
  const end = csv ? '\r\n' : '\n';
  const text = (name: string): string | undefined => values[name] as string | undefined;
  const [name, service, origin] = [text('name'), text('service'), text('source')];
  const lines = reads.export({
    format,
    query: queryFrom(values, io.clock.now()),
    ...(name === undefined ? {} : { log: name }),
    ...(service === undefined ? {} : { service }),
    ...(origin === undefined ? {} : { source: origin }),
  });
  let batch: string[] = csv ? [CSV_HEADER] : [];
  try {
    for await (const line of lines) {
      io.signal.throwIfAborted();
      batch.push(verbatim(io.stdout, csv ? csvRecord(parseLine(line)) : line));
      if (batch.length < BATCH) continue;
      await io.stdout.write(`${batch.join(end)}${end}`);
      batch = [];
    }
  } catch (error) {
    throw asUsageError(error);
  }
  if (batch.length > 0) await io.stdout.write(`${batch.join(end)}${end}`);
  return EXIT.ok;
}
