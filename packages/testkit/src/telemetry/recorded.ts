/** A finished span, in one shape for every version of the SDK. */
export interface RecordedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly status: 'unset' | 'ok' | 'error';
  readonly statusMessage: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly {
    readonly name: string;
    readonly attributes: Readonly<Record<string, unknown>>;
  }[];
}

/** One series of a metric at its collection. */
export interface RecordedPoint {
  readonly metric: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  /** A number, or a histogram's `{ count, sum, buckets, … }`. */
  readonly value: unknown;
}

/** An emitted log record. */
export interface RecordedLog {
  readonly eventName: string | undefined;
  readonly severityNumber: number | undefined;
  readonly body: unknown;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** Where spans come from: an `InMemorySpanExporter` of any SDK from 1.30 to 3, or a list of its spans. */
export type SpanSource = { getFinishedSpans(): readonly object[] } | readonly object[];

/**
 * Where metrics come from: a `MetricReader` of any SDK from 1.30 to 3, or an `InMemoryMetricExporter`, whose
 * last export counts.
 */
export type MetricSource =
  | { collect(): Promise<{ resourceMetrics: object; errors: readonly unknown[] }> }
  | { getMetrics(): readonly object[] };

/** Where log records come from: an `InMemoryLogRecordExporter`, or a list of its records. */
export type LogSource = { getFinishedLogRecords(): readonly object[] } | readonly object[];

interface SdkSpan {
  readonly name: string;
  spanContext(): { traceId: string; spanId: string };
  /** Up to 1.30 */
  readonly parentSpanId?: string;
  /** From 2.0 on */
  readonly parentSpanContext?: { spanId: string };
  readonly status: { code: number; message?: string };
  readonly attributes: Record<string, unknown>;
  readonly events: readonly { name: string; attributes?: Record<string, unknown> }[];
}

const STATUSES = ['unset', 'ok', 'error'] as const;

/** The finished spans, in order of their end. */
export function recordedSpans(source: SpanSource): readonly RecordedSpan[] {
  const spans = 'getFinishedSpans' in source ? source.getFinishedSpans() : source;
  return (spans as readonly SdkSpan[]).map((span) => ({
    name: span.name,
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    parentSpanId: span.parentSpanContext?.spanId ?? span.parentSpanId,
    status: STATUSES[span.status.code] ?? 'unset',
    statusMessage: span.status.message,
    attributes: span.attributes,
    events: span.events.map(({ name, attributes = {} }) => ({ name, attributes })),
  }));
}

interface SdkMetrics {
  readonly scopeMetrics: readonly {
    readonly metrics: readonly {
      readonly descriptor: { readonly name: string };
      readonly dataPoints: readonly { attributes: Record<string, unknown>; value: unknown }[];
    }[];
  }[];
}

/**
 * All series, of all scopes.
 *
 * @throws the first error of an instrument's callback (as a rejection)
 */
export async function recordedPoints(source: MetricSource): Promise<readonly RecordedPoint[]> {
  let exported: object | undefined;
  if ('collect' in source) {
    const { resourceMetrics, errors } = await source.collect();
    if (errors.length > 0) throw errors[0];
    exported = resourceMetrics;
  } else {
    exported = source.getMetrics().at(-1);
  }
  const { scopeMetrics } = (exported ?? { scopeMetrics: [] }) as SdkMetrics;
  return scopeMetrics
    .flatMap(({ metrics }) => metrics)
    .flatMap(({ descriptor, dataPoints }) =>
      dataPoints.map(({ attributes, value }) => ({ metric: descriptor.name, attributes, value })),
    );
}

/** The log records, in order. */
export function recordedLogs(source: LogSource): readonly RecordedLog[] {
  const logs = 'getFinishedLogRecords' in source ? source.getFinishedLogRecords() : source;
  return (logs as readonly Partial<RecordedLog>[]).map((log) => ({
    eventName: log.eventName ?? (log.attributes?.['event.name'] as string | undefined),
    severityNumber: log.severityNumber,
    body: log.body,
    attributes: log.attributes ?? {},
  }));
}
