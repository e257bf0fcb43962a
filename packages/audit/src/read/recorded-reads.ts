import {
  checkType,
  methodsRule,
  type OptionRule,
  oneOfRule,
  reportCallbackError,
  resolveOptions,
  show,
} from '@temper/core/policy';
import type { AuditActor, AuditEvent, AuditEventInput } from '../chain/event.ts';
import { lineSequence } from '../chain/line-fields.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { type ExportOptions, exportEvents } from './export/export-events.ts';
import { type AuditPage, type AuditQuery, queryPage, streamEvents } from './query.ts';

/** `eventType` of the events that say who has read a log. */
const READ_EVENT_TYPE = 'audit-read';

/** Options of {@link recordedReads}. */
export interface RecordedReadsOptions {
  /** The log that records the reads: the one that is read, or another one. */
  readonly log: ReadRecord;
  /** Who reads. */
  readonly reader: string | AuditActor;
  /**
   * What happens when a read cannot be recorded. `refuse`: nothing is returned, and the read rejects with what
   * the log rejected with. `continue`: the error is logged, and the events are returned.
   *
   * @defaultValue 'refuse'
   */
  readonly whenUnrecorded?: 'refuse' | 'continue';
}

/** The part of a log that records reads. */
interface ReadRecord {
  append(event: AuditEventInput): Promise<unknown>;
}

/** Functions that read a log and record who has read what. */
export interface RecordedReads {
  /** {@link queryPage}, recorded before the page is returned. */
  query(query?: AuditQuery): Promise<AuditPage>;
  /** {@link streamEvents}, recorded before the first event and after the last one. */
  stream(query?: AuditQuery): AsyncIterable<AuditEvent>;
  /** {@link exportEvents}, recorded before the first line and after the last one. */
  export(options?: ExportOptions): AsyncIterable<string>;
  /**
   * Anything else that returns events in parts, such as `evidenceBundle`: recorded before the first part and
   * after the last one.
   *
   * @param action - of the recorded events, such as `bundle`
   * @param details - of the recorded events, such as the range
   * @param sequenceOf - sequence of the event that a part is; without it bytes are counted
   */
  record<T>(
    action: string,
    details: object,
    parts: AsyncIterable<T>,
    sequenceOf?: (part: T) => number | undefined,
  ): AsyncIterable<T>;
}

/**
 * Reads a log so that the reads are events of a log themselves: who (`actor`), what (`action` and
 * `details.filter`), how many events and from which to which sequence. A stream is recorded twice: with the
 * status `started` before it returns anything, and at its end with `success`, with `aborted` if the reader
 * stopped early, or with `failure`, and how far it came. A process that is killed leaves the first.
 *
 * @throws {TypeError} if an option is invalid
 */
export function recordedReads(source: AuditSource, options: RecordedReadsOptions): RecordedReads {
  const { log, reader, whenUnrecorded } = resolveOptions<RecordedReadsOptions, 'log' | 'reader'>(
    OWNER,
    options,
    { whenUnrecorded: 'refuse' },
    {
      log: methodsRule('append'),
      reader: readerRule,
      whenUnrecorded: oneOfRule(['refuse', 'continue']),
    },
  );
  methodsRule('append')(OWNER, 'log', log);
  readerRule(OWNER, 'reader', reader);
  return new Reads(
    source,
    log as ReadRecord,
    reader as string | AuditActor,
    whenUnrecorded === 'refuse',
  );
}

const OWNER = 'recordedReads';

const readerRule: OptionRule = (owner, option, value) => {
  const id = typeof value === 'object' ? (value as AuditActor | null)?.id : value;
  if (typeof id === 'string' && id !== '') return;
  throw new TypeError(`${owner}: ${option} must name who reads, got ${show(value)}.`);
};

/** What a read has returned: events, or the bytes of something else. */
interface Returned {
  events?: number;
  first?: number;
  last?: number;
  bytes?: number;
}

class Reads implements RecordedReads {
  readonly #source: AuditSource;
  readonly #log: ReadRecord;
  readonly #reader: string | AuditActor;
  readonly #refuses: boolean;

  constructor(source: AuditSource, log: ReadRecord, reader: string | AuditActor, refuses: boolean) {
    this.#source = source;
    this.#log = log;
    this.#reader = reader;
    this.#refuses = refuses;
  }

  async query(query: AuditQuery = {}): Promise<AuditPage> {
    const page = await queryPage(this.#source, query);
    const returned: Returned = { events: 0 };
    for (const event of page.events) count(returned, event, sequenceOfEvent);
    await this.#append('query', 'success', { filter: filterOf(query), ...returned });
    return page;
  }

  stream(query: AuditQuery = {}): AsyncIterable<AuditEvent> {
    const events = streamEvents(this.#source, query);
    return this.record('stream', { filter: filterOf(query) }, events, sequenceOfEvent);
  }

  export(options: ExportOptions = {}): AsyncIterable<string> {
    checkType('export', 'options', options, 'object');
    const { query = {}, format = 'jsonl' } = options;
    const lines = exportEvents(this.#source, options);
    const sequenceOf = format === 'ocsf' ? ocsfSequence : lineSequence;
    return this.record('export', { format, filter: filterOf(query) }, lines, sequenceOf);
  }

  async *record<T>(
    action: string,
    details: object,
    parts: AsyncIterable<T>,
    sequenceOf?: (part: T) => number | undefined,
  ): AsyncGenerator<T, void, undefined> {
    const reading = parts[Symbol.asyncIterator]();
    const returned: Returned = sequenceOf === undefined ? { bytes: 0 } : { events: 0 };
    // Read before it is recorded, so that an invalid request is not.
    let next = await reading.next();
    try {
      await this.#append(action, 'started', details);
    } catch (error) {
      await reading.return?.();
      throw error;
    }
    let status = 'aborted';
    let failure: unknown;
    try {
      for (; next.done !== true; next = await reading.next()) {
        count(returned, next.value, sequenceOf);
        yield next.value;
      }
      status = 'success';
    } catch (error) {
      status = 'failure';
      failure = error;
      throw error;
    } finally {
      if (status === 'aborted') await reading.return?.();
      await this.#end(action, status, { ...details, ...returned }, failure);
    }
  }

  /** What a read failed with counts more than that the failure could not be recorded. */
  async #end(action: string, status: string, details: object, failure: unknown): Promise<void> {
    try {
      await this.#append(action, status, details, failure);
    } catch (error) {
      if (status !== 'failure') throw error;
      reportCallbackError(OWNER, 'log', error);
    }
  }

  async #append(action: string, status: string, details: object, error?: unknown): Promise<void> {
    const { name } = this.#source;
    const event = { eventType: READ_EVENT_TYPE, action, resource: name, status, details, error };
    try {
      await this.#log.append({ ...event, actor: this.#reader });
    } catch (failure) {
      if (this.#refuses) throw failure;
      reportCallbackError(OWNER, 'log', failure);
    }
  }
}

function count<T>(
  returned: Returned,
  part: T,
  sequenceOf: ((part: T) => number | undefined) | undefined,
): void {
  if (sequenceOf === undefined) {
    returned.bytes = (returned.bytes ?? 0) + ((part as { length?: number }).length ?? 0);
    return;
  }
  returned.events = (returned.events ?? 0) + 1;
  const sequence = sequenceOf(part);
  if (sequence === undefined) return;
  returned.first = Math.min(returned.first ?? sequence, sequence);
  returned.last = Math.max(returned.last ?? sequence, sequence);
}

function sequenceOfEvent({ sequence }: AuditEvent): number {
  return sequence;
}

/** The conditions of a query as JSON. */
function filterOf(query: AuditQuery): object {
  const text = (value: unknown): unknown => (value instanceof Date ? value.toISOString() : value);
  return Object.fromEntries(Object.entries(query).map(([name, value]) => [name, text(value)]));
}

function ocsfSequence(line: string): number {
  return (JSON.parse(line) as { metadata: { sequence: number } }).metadata.sequence;
}
