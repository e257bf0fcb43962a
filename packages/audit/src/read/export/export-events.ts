import { type OptionRule, oneOfRule, resolveOptions, show, typeRule } from '@temper/core/policy';
import { textRule } from '../../option-rules.ts';
import type { AuditSource } from '../../sinks/sink.ts';
import { type AuditQuery, streamEvents, streamLines } from '../query.ts';
import { type CloudEventsOptions, toCloudEvent } from './cloudevents.ts';
import { type OcsfOptions, toOcsf } from './ocsf.ts';

/** Export format: the lines of the log, CloudEvents 1.0 or OCSF. */
export type ExportFormat = 'jsonl' | 'cloudevents' | 'ocsf';

/** The values of {@link ExportFormat}. */
export const EXPORT_FORMATS: readonly ExportFormat[] = ['jsonl', 'cloudevents', 'ocsf'];

/** Options of {@link exportEvents}. */
export interface ExportOptions extends CloudEventsOptions, OcsfOptions {
  /** @defaultValue 'jsonl' */
  readonly format?: ExportFormat;
  /** Selects the events. @defaultValue all, oldest first */
  readonly query?: AuditQuery;
  /** Name of the log in CloudEvents and OCSF. @defaultValue the name of the source */
  readonly log?: string;
}

/** A URI reference, which has no spaces and controls. */
const sourceRule: OptionRule = (owner, option, value) => {
  textRule(owner, option, value);
  if (/^[!-~]+$/.test(value as string) && !/[<>"{}|\\^`]|%(?![\da-f]{2})/i.test(value as string))
    return;
  throw new TypeError(`${owner}: ${option} must be a URI reference, got ${show(value)}.`);
};

/** The options that may stay unset. */
type Unset = 'query' | keyof CloudEventsOptions | keyof OcsfOptions;

/**
 * Streams events as lines of JSON without holding them all in memory.
 *
 * Lines of the format `jsonl` are the lines of the log, byte for byte, so an export of the whole log can
 * be verified like the log.
 *
 * @throws {TypeError | RangeError} (with the first line) if an option is invalid
 */
export async function* exportEvents(
  source: AuditSource,
  options: ExportOptions = {},
): AsyncGenerator<string, void, undefined> {
  const text = typeRule('string');
  const { format, query, log, ...all } = resolveOptions<ExportOptions, Unset>(
    'export',
    options,
    { format: 'jsonl', log: source.name },
    {
      format: oneOfRule(EXPORT_FORMATS),
      query: typeRule('object'),
      log: text,
      source: sourceRule,
      typePrefix: textRule,
      service: text,
    },
  );
  if (format === 'jsonl') {
    for await (const lines of streamLines(source, query)) yield* lines;
    return;
  }
  const convert = format === 'ocsf' ? toOcsf : toCloudEvent;
  for await (const event of streamEvents(source, query)) {
    yield JSON.stringify(convert(event, log, all));
  }
}
