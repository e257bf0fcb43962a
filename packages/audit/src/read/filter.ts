import { checkType, numberRule, type OptionRule, show, typeRule } from '@temper/core/policy';
import type { JsonValue } from '../chain/canonical-json.ts';
import { quote } from '../chain/canonical-json.ts';
import type { AuditEvent } from '../chain/event.ts';
import { lineTimestamp } from '../chain/line-fields.ts';
import type { IndexedField, LineFilter } from '../sinks/sink.ts';

/** One accepted value, or several. */
type OneOrMore = string | readonly string[];

/** Conditions on events. An event must match all of them. */
export interface FilterQuery {
  readonly id?: OneOrMore;
  readonly eventType?: OneOrMore;
  readonly action?: OneOrMore;
  readonly resource?: OneOrMore;
  readonly status?: OneOrMore;
  /** Id of the actor. */
  readonly actor?: OneOrMore;
  readonly actorType?: OneOrMore;
  readonly actorName?: OneOrMore;
  readonly traceId?: OneOrMore;
  readonly spanId?: OneOrMore;
  readonly prev?: OneOrMore;
  readonly hash?: OneOrMore;
  /** Whether the event has an error. */
  readonly failed?: boolean;
  readonly errorName?: OneOrMore;
  readonly errorCode?: OneOrMore;
  /** Text contained in the message of the error. */
  readonly errorMessage?: string;
  /** Exact values in the details by dotted path: `{ 'user.id': 7 }`. */
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
  /** Range of the duration in milliseconds, inclusive. */
  readonly minDurationMs?: number;
  readonly maxDurationMs?: number;
  /** Earliest time, inclusive: a Date, milliseconds since the epoch, or ISO 8601. */
  readonly since?: Date | number | string;
  /** Latest time, exclusive. */
  readonly until?: Date | number | string;
}

/** A compiled {@link FilterQuery}. */
export interface EventFilter {
  /** Number of conditions. */
  readonly conditions: number;
  matches(event: AuditEvent): boolean;
  /** Conditions that a store can evaluate without parsing; undefined if there are none. */
  readonly lines: LineFilter | undefined;
}

type TextField = {
  [K in keyof FilterQuery]: FilterQuery[K] extends OneOrMore | undefined ? K : never;
}[keyof FilterQuery] &
  string;

const READ_TEXT: Readonly<
  Record<Exclude<TextField, 'errorMessage'>, (event: AuditEvent) => string | undefined>
> = {
  id: (event) => event.id,
  eventType: (event) => event.eventType,
  action: (event) => event.action,
  resource: (event) => event.resource,
  status: (event) => event.status,
  actor: (event) => event.actor?.id,
  actorType: (event) => event.actor?.type,
  actorName: (event) => event.actor?.name,
  traceId: (event) => event.traceId,
  spanId: (event) => event.spanId,
  prev: (event) => event.prev,
  hash: (event) => event.hash,
  errorName: (event) => event.error?.name,
  errorCode: (event) => event.error?.code,
};

/** The text before a field's value in a line of canonical JSON. */
const FRAGMENTS: Readonly<Record<IndexedField, string>> = {
  id: ',"id":',
  eventType: ',"eventType":',
  action: '{"action":',
  resource: ',"resource":',
  status: ',"status":',
  actor: ',"actor":{"id":',
  traceId: ',"traceId":',
  spanId: ',"spanId":',
};

const textRule: OptionRule = (owner, option, value) => void textValues(owner, option, value);

/** The rules of {@link FilterQuery}. */
export const FILTER_RULES: { readonly [Field in keyof FilterQuery]-?: OptionRule } = {
  id: textRule,
  eventType: textRule,
  action: textRule,
  resource: textRule,
  status: textRule,
  actor: textRule,
  actorType: textRule,
  actorName: textRule,
  traceId: textRule,
  spanId: textRule,
  prev: textRule,
  hash: textRule,
  failed: typeRule('boolean'),
  errorName: textRule,
  errorCode: textRule,
  errorMessage: typeRule('string'),
  details: checkDetails,
  minDurationMs: numberRule({ min: 0 }),
  maxDurationMs: numberRule({ min: 0 }),
  since: checkTime,
  until: checkTime,
};

/** Compiles conditions that {@link FILTER_RULES} allow. */
export function compileFilter(query: FilterQuery): EventFilter {
  const tests: ((event: AuditEvent) => boolean)[] = [];
  const equals = new Map<IndexedField, readonly string[]>();
  for (const [field, read] of Object.entries(READ_TEXT)) {
    const wanted = query[field as TextField];
    if (wanted === undefined) continue;
    const values = textValues('query', field, wanted);
    if (field in FRAGMENTS) equals.set(field as IndexedField, values);
    tests.push((event) => values.includes(read(event) as string));
  }
  const { failed, errorMessage, details, minDurationMs, maxDurationMs } = query;
  if (failed !== undefined) tests.push((event) => (event.error !== undefined) === failed);
  if (errorMessage !== undefined) {
    tests.push((event) => event.error?.message.includes(errorMessage) ?? false);
  }
  if (details !== undefined) {
    for (const [path, value] of Object.entries(details)) {
      const keys = path.split('.');
      tests.push((event) => valueAt(event.details, keys) === value);
    }
  }
  if (minDurationMs !== undefined) {
    tests.push(({ durationMs }) => durationMs !== undefined && durationMs >= minDurationMs);
  }
  if (maxDurationMs !== undefined) {
    tests.push(({ durationMs }) => durationMs !== undefined && durationMs <= maxDurationMs);
  }
  const since = timestamp(query.since);
  const until = timestamp(query.until);
  if (since !== undefined) tests.push((event) => event.timestamp >= since);
  if (until !== undefined) tests.push((event) => event.timestamp < until);
  return {
    conditions: tests.length,
    matches: (event) => tests.every((test) => test(event)),
    lines: lineFilter(equals, since, until),
  };
}

function lineFilter(
  equals: ReadonlyMap<IndexedField, readonly string[]>,
  since: string | undefined,
  until: string | undefined,
): LineFilter | undefined {
  if (equals.size === 0 && since === undefined && until === undefined) return undefined;
  // Canonical JSON has one notation for a field, so a line without this text cannot match.
  const fragments = [...equals].map(([field, values]) =>
    values.map((value) => FRAGMENTS[field] + quote(value)),
  );
  return {
    equals,
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    mayMatch: (line) =>
      fragments.every((choices) => choices.some((fragment) => line.includes(fragment))) &&
      isWithin(line, since, until),
  };
}

function isWithin(line: string, since: string | undefined, until: string | undefined): boolean {
  if (since === undefined && until === undefined) return true;
  const found = lineTimestamp(line);
  return (since === undefined || found >= since) && (until === undefined || found < until);
}

function textValues(owner: string, field: string, wanted: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(wanted) ? wanted : [wanted];
  if (values.some((value) => typeof value !== 'string' || !value.isWellFormed())) {
    throw new TypeError(
      `${owner}: ${field} must be a string or an array of strings, got ${show(wanted)}.`,
    );
  }
  return values as readonly string[];
}

function checkDetails(owner: string, option: string, value: unknown): void {
  checkType(owner, option, value, 'object');
  for (const [path, wanted] of Object.entries(value as object)) {
    if (wanted === null || ['string', 'number', 'boolean'].includes(typeof wanted)) continue;
    throw new TypeError(
      `${owner}: ${option}[${show(path)}] must be a string, number, boolean or null, got ${show(wanted)}.`,
    );
  }
}

function checkTime(owner: string, option: string, value: unknown): void {
  const isTime = value instanceof Date || typeof value === 'number' || typeof value === 'string';
  if (!isTime || Number.isNaN(new Date(value).getTime())) {
    throw new TypeError(`${owner}: ${option} must be a valid time, got ${show(value)}.`);
  }
}

function timestamp(value: Date | number | string | undefined): string | undefined {
  return value === undefined ? undefined : new Date(value).toISOString();
}

function valueAt(value: JsonValue, keys: readonly string[]): JsonValue | undefined {
  let at: JsonValue | undefined = value;
  for (const key of keys) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as { readonly [key: string]: JsonValue })[key];
  }
  return at;
}
