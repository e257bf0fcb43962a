import { canonicalize, type JsonObject } from '../chain/canonical-json.ts';
import type { AuditEvent } from '../chain/event.ts';
import { lineSequence } from '../chain/line-fields.ts';
import { type AuditQuery, queryPage, streamEvents } from '../read/query.ts';
import type { RecordedReads } from '../read/recorded-reads.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { numberFrom, queryFrom, type Values } from './filters.ts';
import { formatEvent } from './format-event.ts';
import { type Io, styler, verbatim } from './io.ts';

/** Polling interval of `--follow`, in milliseconds. */
const POLL_MS = 250;

/** `tail`: prints the last matching events, and with `--follow` new ones as they are written. */
export async function tailCommand(
  source: AuditSource,
  reads: RecordedReads,
  values: Values,
  io: Io,
): Promise<ExitCode> {
  const style = styler(io.stdout, io.env);
  const query = queryFrom(values, io.clock.now());
  const limit = numberFrom('lines', (values.lines as string | undefined) ?? '10');
  const follow = values.follow === true;
  const events = lastAndNew(source, query, limit, follow, io);
  const details = { filter: query, lines: limit, follow };
  for await (const event of reads.record('tail', details, events, ({ sequence }) => sequence)) {
    const json = values.json === true;
    const line = json
      ? verbatim(io.stdout, canonicalize(event as unknown as JsonObject))
      : formatEvent(event, style);
    await io.stdout.write(`${line}\n`);
  }
  return follow ? EXIT.interrupted : EXIT.ok;
}

/** The last events of a query, and with `follow` new ones until the command is interrupted. */
async function* lastAndNew(
  source: AuditSource,
  query: AuditQuery,
  limit: number,
  follow: boolean,
  io: Io,
): AsyncGenerator<AuditEvent, void, undefined> {
  // Read first, so that events written between the two reads are not skipped.
  let seen = await lastSequence(source);
  const to = Math.min(query.toSequence ?? Number.POSITIVE_INFINITY, seen);
  const { events } = await queryPage(source, { ...query, toSequence: to, order: 'desc', limit });
  yield* events.toReversed();
  while (follow) {
    try {
      await io.clock.sleep(POLL_MS, io.signal);
    } catch {
      return; // interrupted
    }
    const last = await lastSequence(source);
    const range = { fromSequence: Math.max(query.fromSequence ?? 0, seen + 1), toSequence: last };
    if (last > seen) yield* streamEvents(source, { ...query, ...range });
    seen = Math.max(seen, last);
  }
}

/** The last sequence of a log; 0 if it is empty. */
export async function lastSequence(source: AuditSource): Promise<number> {
  for await (const [line] of source.read({ reverse: true })) {
    return (line === undefined ? undefined : lineSequence(line)) ?? 0;
  }
  return (await source.anchor())?.sequence ?? 0;
}
