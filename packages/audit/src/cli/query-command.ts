import { canonicalize, type JsonObject } from '../chain/canonical-json.ts';
import type { AuditQuery } from '../read/query.ts';
import type { RecordedReads } from '../read/recorded-reads.ts';
import { asUsageError, EXIT, type ExitCode, UsageError } from './exit-codes.ts';
import { numberFrom, queryFrom, type Values } from './filters.ts';
import { formatEvent } from './format-event.ts';
import { type Io, styler, verbatim } from './io.ts';

/** `query`: prints one page of matching events. */
export async function queryCommand(
  reads: RecordedReads,
  values: Values,
  io: Io,
): Promise<ExitCode> {
  const { order, cursor, limit, json } = values;
  if (order !== undefined && order !== 'asc' && order !== 'desc') {
    throw new UsageError(`--order must be asc or desc, got '${String(order)}'.`);
  }
  const query: AuditQuery = {
    ...queryFrom(values, io.clock.now()),
    ...(order === undefined ? {} : { order }),
    ...(cursor === undefined ? {} : { cursor: cursor as string }),
    ...(limit === undefined ? {} : { limit: numberFrom('limit', limit as string) }),
  };
  const page = await reads.query(query).catch((error: unknown) => {
    throw asUsageError(error);
  });
  const style = styler(io.stdout, io.env);
  for (const event of page.events) {
    const line =
      json === true
        ? verbatim(io.stdout, canonicalize(event as unknown as JsonObject))
        : formatEvent(event, style);
    await io.stdout.write(`${line}\n`);
  }
  if (page.next !== undefined) await io.stderr.write(`next page: --cursor ${page.next}\n`);
  if (page.previous !== undefined)
    await io.stderr.write(`previous page: --cursor ${page.previous}\n`);
  return EXIT.ok;
}
