import { checkOneOf } from '@temper/core';
import type { AuditSource } from '../../sinks/sink.ts';
import { type AuditQuery, streamEvents, streamLines } from '../query.ts';
import { type CloudEventsOptions, toCloudEvent } from './cloudevents.ts';
import { type OcsfOptions, toOcsf } from './ocsf.ts';

/** How events leave the log: as they are in it, or as others expect them. */
export type ExportFormat = 'jsonl' | 'cloudevents' | 'ocsf';

/** Every {@link ExportFormat}. */
export const EXPORT_FORMATS: readonly ExportFormat[] = ['jsonl', 'cloudevents', 'ocsf'];

/** Options of {@link exportEvents}. */
export interface ExportOptions extends CloudEventsOptions, OcsfOptions {
  /** @defaultValue 'jsonl' */
  readonly format?: ExportFormat;
  /** Which events. @defaultValue all, oldest first */
  readonly query?: AuditQuery;
  /** What the log is called in events of other formats. @defaultValue the source's name */
  readonly log?: string;
}

/**
 * Events as lines of JSON, one by one, without holding them all.
 *
 * Lines of format `jsonl` are those of the log, byte for byte: an export of the whole log can be
 * verified like the log itself.
 */
export async function* exportEvents(
  source: AuditSource,
  options: ExportOptions = {},
): AsyncGenerator<string, void, undefined> {
  const format = checkOneOf('export', 'format', options.format ?? 'jsonl', EXPORT_FORMATS);
  const log = options.log ?? source.name;
  if (format === 'jsonl') {
    for await (const lines of streamLines(source, options.query)) yield* lines;
    return;
  }
  const convert = format === 'ocsf' ? toOcsf : toCloudEvent;
  for await (const event of streamEvents(source, options.query)) {
    yield JSON.stringify(convert(event, log, options));
  }
}
