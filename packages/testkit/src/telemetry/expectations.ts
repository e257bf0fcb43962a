import {
  type LogSource,
  type MetricSource,
  type RecordedLog,
  type RecordedPoint,
  type RecordedSpan,
  recordedLogs,
  recordedPoints,
  recordedSpans,
  type SpanSource,
} from './recorded.ts';

/** What a span must be; what is left out may be anything. Attributes may have more keys. */
export interface ExpectedSpan {
  readonly name?: string | RegExp;
  readonly status?: RecordedSpan['status'];
  readonly attributes?: Readonly<Record<string, unknown>>;
  /** The parent, as {@link expectSpan} returned it; `null` for a root. */
  readonly parent?: { readonly spanId: string } | null;
}

/** What a series must be; what is left out may be anything. Attributes may have more keys. */
export interface ExpectedPoint {
  readonly attributes?: Readonly<Record<string, unknown>>;
  /** A number, the count of a histogram as `{ count }`, or a question about the value. */
  readonly value?: number | { readonly count: number } | ((value: unknown) => boolean);
}

/** What a log record must be; what is left out may be anything. Attributes may have more keys. */
export interface ExpectedLog {
  readonly eventName?: string;
  readonly body?: unknown;
  readonly attributes?: Readonly<Record<string, unknown>>;
}

/** Most candidates that a message lists. */
const MAX_LISTED = 20;

/**
 * Finds the span that is as expected.
 *
 * @returns the first one that ended
 * @throws {Error} when there is none; the message lists the spans that there are
 */
export function expectSpan(source: SpanSource, expected: ExpectedSpan): RecordedSpan {
  const spans = recordedSpans(source);
  return (
    spans.find((span) => isSpan(span, expected)) ?? fail('span', expected, spans.map(shownSpan))
  );
}

/**
 * Expects that no span is like this.
 *
 * @throws {Error} when there is one
 */
export function expectNoSpan(source: SpanSource, unexpected: ExpectedSpan): void {
  const found = recordedSpans(source).filter((span) => isSpan(span, unexpected));
  if (found.length === 0) return;
  throw new Error(
    `Expected no span like ${shown(unexpected)}, found:${list(found.map(shownSpan))}`,
  );
}

/**
 * Finds the series of a metric that is as expected. A series without a value counts as 0 when that is the
 * value expected.
 *
 * @returns the series
 * @throws {Error} (as a rejection) when there is none, or there are several; the message lists the series of
 * the metric
 */
export async function expectMetric(
  source: MetricSource,
  metric: string,
  expected: ExpectedPoint = {},
): Promise<RecordedPoint> {
  const series = (await recordedPoints(source)).filter((point) => point.metric === metric);
  const { attributes = {}, value } = expected;
  const found = series.filter((point) => isSubset(attributes, point.attributes));
  const matching = found.filter((point) => isValue(point.value, value));
  const [first] = matching;
  if (first !== undefined && matching.length === 1) return first;
  if (found.length === 0 && value === 0) return { metric, attributes, value: 0 };
  const what = matching.length > 1 ? `one series of ${metric}` : `series of ${metric}`;
  return fail(
    what,
    expected,
    series.map(({ attributes: own, value: at }) => `${shown(own)} ${shown(at)}`),
  );
}

/**
 * Finds the log record that is as expected.
 *
 * @returns the first one
 * @throws {Error} when there is none; the message lists the records that there are
 */
export function expectLog(source: LogSource, expected: ExpectedLog): RecordedLog {
  const logs = recordedLogs(source);
  const found = logs.find(
    (log) =>
      (expected.eventName === undefined || log.eventName === expected.eventName) &&
      (!('body' in expected) || isEqual(expected.body, log.body)) &&
      isSubset(expected.attributes ?? {}, log.attributes),
  );
  return found ?? fail('log record', expected, logs.map(shown));
}

function isSpan(span: RecordedSpan, { name, status, attributes, parent }: ExpectedSpan): boolean {
  return (
    (name === undefined ||
      (typeof name === 'string' ? span.name === name : name.test(span.name))) &&
    (status === undefined || span.status === status) &&
    (parent === undefined || span.parentSpanId === parent?.spanId) &&
    isSubset(attributes ?? {}, span.attributes)
  );
}

function isValue(value: unknown, expected: ExpectedPoint['value']): boolean {
  if (expected === undefined) return true;
  if (typeof expected === 'function') return expected(value);
  if (typeof expected === 'number') return value === expected;
  return (value as { count?: unknown } | undefined)?.count === expected.count;
}

function isSubset(
  expected: Readonly<Record<string, unknown>>,
  actual: Readonly<Record<string, unknown>>,
): boolean {
  return Object.entries(expected).every(([key, value]) => isEqual(value, actual[key]));
}

function isEqual(expected: unknown, actual: unknown): boolean {
  return (
    Object.is(expected, actual) ||
    (typeof expected === 'object' && shown(expected) === shown(actual))
  );
}

function shownSpan({ name, status, attributes }: RecordedSpan): string {
  return `${name} (${status}) ${shown(attributes)}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_key, part: unknown) =>
    part instanceof RegExp || typeof part === 'function' || typeof part === 'bigint'
      ? String(part)
      : part,
  );
  return text ?? String(value);
}

function list(candidates: readonly string[]): string {
  if (candidates.length === 0) return ' none';
  const more = candidates.length - MAX_LISTED;
  const lines = candidates.slice(0, MAX_LISTED).map((line) => `\n  ${line}`);
  return lines.join('') + (more > 0 ? `\n  and ${more} more` : '');
}

function fail(what: string, expected: object, candidates: readonly string[]): never {
  throw new Error(`Expected a ${what} like ${shown(expected)}, found:${list(candidates)}`);
}
