import { EXPORT_FORMATS, type ExportFormat, exportEvents } from '../read/export/export-events.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { EXIT, type ExitCode, UsageError } from './exit-codes.ts';
import { queryFrom, type Values } from './filters.ts';
import { type Io, verbatim } from './io.ts';

/** Lines per write. */
const BATCH = 500;

/** `export`: prints matching events as lines of JSON. */
export async function exportCommand(
  source: AuditSource,
  values: Values,
  io: Io,
): Promise<ExitCode> {
  const format = (values.format as ExportFormat | undefined) ?? 'jsonl';
  if (!EXPORT_FORMATS.includes(format)) {
    throw new UsageError(`--format must be one of ${EXPORT_FORMATS.join(', ')}, got '${format}'.`);
  }
  const text = (name: string): string | undefined => values[name] as string | undefined;
  const [name, service, origin] = [text('name'), text('service'), text('source')];
  const lines = exportEvents(source, {
    format,
    query: queryFrom(values, io.clock.now()),
    ...(name === undefined ? {} : { log: name }),
    ...(service === undefined ? {} : { service }),
    ...(origin === undefined ? {} : { source: origin }),
  });
  let batch: string[] = [];
  for await (const line of lines) {
    io.signal.throwIfAborted();
    batch.push(verbatim(io.stdout, line));
    if (batch.length < BATCH) continue;
    await io.stdout.write(`${batch.join('\n')}\n`);
    batch = [];
  }
  if (batch.length > 0) await io.stdout.write(`${batch.join('\n')}\n`);
  return EXIT.ok;
}
