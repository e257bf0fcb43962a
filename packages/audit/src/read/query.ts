import {
  checkNumber,
  type Defaults,
  messageOf,
  numberRule,
  type OptionRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  show,
  typeRule,
} from '@temper/core/policy';
import type { AuditEvent } from '../chain/event.ts';
import { parseLine } from '../chain/hash-chain.ts';
import { AuditCorruptError } from '../errors.ts';
import type { AuditSource, ReadRange } from '../sinks/sink.ts';
import { type Cursor, decodeCursor, encodeCursor } from './cursor.ts';
import { compileFilter, type EventFilter, FILTER_RULES, type FilterQuery } from './filter.ts';

/** Conditions, order and limit of a query. */
export interface AuditQuery extends FilterQuery {
  /** First sequence, inclusive. */
  readonly fromSequence?: number;
  /** Last sequence, inclusive. */
  readonly toSequence?: number;
  /** By sequence: `asc` oldest first, `desc` newest first. @defaultValue 'desc' for pages, 'asc' for streams */
  readonly order?: 'asc' | 'desc';
  /**
   * Maximum number of events to return; 0 returns none.
   *
   * @defaultValue 100 for pages, all for streams
   * @throws {RangeError} unless an integer >= 0 (at most 10_000 for pages)
   */
  readonly limit?: number;
  /** Start position: {@link AuditPage.next} or {@link AuditPage.previous} of another page. */
  readonly cursor?: string;
}

/** A page of events. */
export interface AuditPage {
  readonly events: readonly AuditEvent[];
  /** Cursor of the next page, in the order of the query; undefined on the last page. */
  readonly next: string | undefined;
  /** Cursor of the previous page; undefined on the first page. */
  readonly previous: string | undefined;
}

const OWNER = 'query';
const MAX_PAGE = 10_000;

/** The options that may stay unset. */
type Unset = keyof FilterQuery | 'cursor';
type ResolvedQuery = Resolved<AuditQuery, Unset>;

const WHOLE_LOG = { fromSequence: 0, toSequence: Number.POSITIVE_INFINITY } as const;
const PAGE_DEFAULTS: Defaults<AuditQuery, Unset> = { ...WHOLE_LOG, order: 'desc', limit: 100 };
const STREAM_DEFAULTS: Defaults<AuditQuery, Unset> = {
  ...WHOLE_LOG,
  order: 'asc',
  limit: Number.POSITIVE_INFINITY,
};

const PAGE_RULES: { readonly [Field in keyof AuditQuery]-?: OptionRule } = {
  ...FILTER_RULES,
  fromSequence: numberRule({ min: 0, integer: true }),
  toSequence: numberRule({ min: 0, integer: true }),
  order: oneOfRule(['asc', 'desc']),
  limit: numberRule({ min: 0, max: MAX_PAGE, integer: true }),
  cursor: typeRule('string'),
};

const STREAM_RULES: typeof PAGE_RULES = {
  ...PAGE_RULES,
  limit: numberRule({ min: 0, integer: true }),
  cursor: () => {
    throw new TypeError(`${OWNER}: a stream does not accept a cursor.`);
  },
};

/** Returns one page of a query. */
export async function queryPage(source: AuditSource, query: AuditQuery): Promise<AuditPage> {
  const all = resolveOptions<AuditQuery, Unset>(OWNER, query, PAGE_DEFAULTS, PAGE_RULES);
  const { order, limit } = all;
  const cursor = all.cursor === undefined ? undefined : decodeCursor(all.cursor, order);
  const filter = compileFilter(all);
  const range = rangeOf(all);
  if (limit === 0) return { events: [], next: undefined, previous: undefined };

  const backwards = cursor?.side === 'before';
  const reverse = (order === 'desc') !== backwards;
  const found: AuditEvent[] = [];
  for await (const event of readEvents(source, clip(range, cursor, reverse), filter, reverse)) {
    found.push(event);
    if (found.length > limit) break;
  }
  const more = found.length > limit;
  if (more) found.pop();
  if (backwards) found.reverse();
  return { events: found, ...cursorsAround(found, order, cursor, backwards, more) };
}

function cursorsAround(
  events: readonly AuditEvent[],
  order: 'asc' | 'desc',
  cursor: Cursor | undefined,
  backwards: boolean,
  more: boolean,
): Pick<AuditPage, 'next' | 'previous'> {
  const first = events[0]?.sequence;
  const last = events.at(-1)?.sequence;
  // The cursors of an empty page lie one step beyond its own cursor, so that they lead back.
  const beyond = (step: number): number =>
    (cursor?.sequence ?? 0) + (order === 'asc' ? step : -step);
  const before = encodeCursor({ order, side: 'before', sequence: first ?? beyond(1) });
  const after = encodeCursor({ order, side: 'after', sequence: last ?? beyond(-1) });
  if (backwards) return { next: after, previous: more ? before : undefined };
  return { next: more ? after : undefined, previous: cursor === undefined ? undefined : before };
}

/** The part of a range on the cursor's side. */
function clip(range: Range, cursor: Cursor | undefined, reverse: boolean): Range {
  if (cursor === undefined) return range;
  return reverse
    ? { from: range.from, to: Math.min(range.to, cursor.sequence - 1) }
    : { from: Math.max(range.from, cursor.sequence + 1), to: range.to };
}

/** Streams every matching event. */
export async function* streamEvents(
  source: AuditSource,
  query: AuditQuery = {},
): AsyncGenerator<AuditEvent, void, undefined> {
  const all = resolveStream(query);
  const { limit } = all;
  if (limit === 0) return;
  let count = 0;
  const filter = compileFilter(all);
  const reverse = all.order === 'desc';
  for await (const event of readEvents(source, rangeOf(all), filter, reverse)) {
    yield event;
    if (++count >= limit) return;
  }
}

/** Streams the lines of every matching event as stored, in batches. */
export async function* streamLines(
  source: AuditSource,
  query: AuditQuery = {},
): AsyncGenerator<readonly string[], void, undefined> {
  const all = resolveStream(query);
  let left = all.limit;
  const filter = compileFilter(all);
  const reverse = all.order === 'desc';
  for await (const lines of readLines(source, rangeOf(all), filter, reverse)) {
    if (left <= 0) return;
    const matching =
      filter.conditions === 0
        ? lines
        : lines.filter((line) => filter.matches(readLine(source, line)));
    const wanted = matching.length > left ? matching.slice(0, left) : matching;
    left -= wanted.length;
    if (wanted.length > 0) yield wanted;
  }
}

function resolveStream(query: AuditQuery): ResolvedQuery {
  return resolveOptions<AuditQuery, Unset>(OWNER, query, STREAM_DEFAULTS, STREAM_RULES);
}

/** The last `limit` events, oldest first. */
export async function lastEvents(
  source: AuditSource,
  limit: number,
): Promise<readonly AuditEvent[]> {
  checkNumber('getEvents', 'limit', limit, { min: 0, max: MAX_PAGE, integer: true });
  const { events } = await queryPage(source, { limit, order: 'desc' });
  return [...events].reverse();
}

interface Range {
  readonly from: number;
  readonly to: number;
}

function rangeOf({ fromSequence, toSequence }: ResolvedQuery): Range {
  return { from: fromSequence, to: toSequence };
}

async function* readEvents(
  source: AuditSource,
  range: Range,
  filter: EventFilter,
  reverse: boolean,
): AsyncGenerator<AuditEvent, void, undefined> {
  for await (const lines of readLines(source, range, filter, reverse)) {
    for (const line of lines) {
      const event = readLine(source, line);
      if (filter.matches(event)) yield freeze(event);
    }
  }
}

/** Lines that may match, determined without parsing them. */
async function* readLines(
  source: AuditSource,
  { from, to }: Range,
  filter: EventFilter,
  reverse: boolean,
): AsyncGenerator<readonly string[], void, undefined> {
  if (from > to) return;
  const conditions = filter.lines;
  const range: ReadRange = {
    ...(from > 1 ? { from } : {}),
    ...(to === Number.POSITIVE_INFINITY ? {} : { to }),
    reverse,
    ...(conditions === undefined ? {} : { filter: conditions }),
  };
  for await (const lines of source.read(range)) {
    const possible =
      conditions === undefined ? lines : lines.filter((line) => conditions.mayMatch(line));
    if (possible.length > 0) yield possible;
  }
}

function readLine(source: AuditSource, line: string): AuditEvent {
  try {
    return parseLine(line);
  } catch (error) {
    const what = `${messageOf(error)}: ${show(line)}`;
    throw new AuditCorruptError(source.name, source.name, undefined, what);
  }
}

function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const item of Object.values(value)) freeze(item);
  return Object.freeze(value);
}
