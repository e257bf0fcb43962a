import { type HrTime, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';

/** A span as the page shows it. */
export interface SpanView {
  readonly spanId: string;
  /** Undefined for the root of the trace. */
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: string;
  readonly scope: string;
  /** Start time, in milliseconds since the epoch. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly status: 'unset' | 'ok' | 'error';
  readonly message: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** A finished trace with its spans of this process. */
export interface TraceView {
  readonly traceId: string;
  /** Name of this process's root span. */
  readonly name: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly failed: boolean;
  readonly spans: readonly SpanView[];
  /** Number of spans that exceeded the limit. */
  readonly dropped: number;
}

export interface TraceRingOptions {
  /** Maximum number of finished traces. @defaultValue 60 */
  readonly traces?: number;
  /** Maximum number of spans per trace. @defaultValue 150 */
  readonly spansPerTrace?: number;
  /** Maximum number of unfinished traces. @defaultValue 500 */
  readonly open?: number;
}

interface OpenTrace {
  readonly spans: SpanView[];
  dropped: number;
}

const KINDS: Readonly<Record<SpanKind, string>> = {
  [SpanKind.INTERNAL]: 'internal',
  [SpanKind.SERVER]: 'server',
  [SpanKind.CLIENT]: 'client',
  [SpanKind.PRODUCER]: 'producer',
  [SpanKind.CONSUMER]: 'consumer',
};

/**
 * Keeps the last finished traces of this process, so that the page works without a tracing backend. A
 * trace is finished when a span ends whose parent is in another process or missing.
 */
export class TraceRing implements SpanProcessor {
  readonly #limits: Required<TraceRingOptions>;
  readonly #open = new Map<string, OpenTrace>();
  readonly #finished = new Map<string, TraceView>();
  readonly #listeners = new Set<(trace: TraceView) => void>();

  constructor(options: TraceRingOptions = {}) {
    this.#limits = { traces: 60, spansPerTrace: 150, open: 500, ...options };
  }

  /** The last traces, newest first. */
  recent(limit: number = this.#limits.traces): readonly TraceView[] {
    return [...this.#finished.values()].reverse().slice(0, limit);
  }

  get(traceId: string): TraceView | undefined {
    return this.#finished.get(traceId);
  }

  /** Calls `listener` with each finished trace until the returned function is called. */
  onTrace(listener: (trace: TraceView) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    const { traceId } = span.spanContext();
    const trace = this.#openTrace(traceId);
    if (trace.spans.length < this.#limits.spansPerTrace) trace.spans.push(viewOf(span));
    else trace.dropped += 1;
    const parent = span.parentSpanContext;
    if (parent === undefined || parent.isRemote === true) this.#finish(traceId, span, trace);
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {
    this.#open.clear();
    this.#listeners.clear();
  }

  #openTrace(traceId: string): OpenTrace {
    let trace = this.#open.get(traceId);
    if (trace !== undefined) return trace;
    if (this.#open.size >= this.#limits.open) {
      const [oldest] = this.#open.keys();
      this.#open.delete(oldest as string);
    }
    trace = { spans: [], dropped: 0 };
    this.#open.set(traceId, trace);
    return trace;
  }

  #finish(traceId: string, root: ReadableSpan, open: OpenTrace): void {
    this.#open.delete(traceId);
    // Several requests with the same trace id are merged into one trace.
    const before = this.#finished.get(traceId);
    const spans = [...(before?.spans ?? []), ...open.spans].slice(-this.#limits.spansPerTrace);
    const startMs = Math.min(...spans.map((span) => span.startMs));
    const trace: TraceView = {
      traceId,
      name: before?.name ?? root.name,
      startMs,
      durationMs: Math.max(...spans.map((span) => span.startMs + span.durationMs)) - startMs,
      failed: spans.some((span) => span.status === 'error'),
      spans: spans.toSorted((a, b) => a.startMs - b.startMs),
      dropped: open.dropped + (before?.dropped ?? 0),
    };
    this.#finished.delete(traceId);
    this.#finished.set(traceId, trace);
    if (this.#finished.size > this.#limits.traces) {
      const [oldest] = this.#finished.keys();
      this.#finished.delete(oldest as string);
    }
    for (const listener of this.#listeners) listener(trace);
  }
}

function viewOf(span: ReadableSpan): SpanView {
  const { code, message } = span.status;
  return {
    spanId: span.spanContext().spanId,
    parentSpanId: span.parentSpanContext?.spanId,
    name: span.name,
    kind: KINDS[span.kind],
    scope: span.instrumentationScope.name,
    startMs: millis(span.startTime),
    durationMs: millis(span.duration),
    status: code === SpanStatusCode.ERROR ? 'error' : code === SpanStatusCode.OK ? 'ok' : 'unset',
    message,
    attributes: span.attributes,
  };
}

function millis([seconds, nanos]: HrTime): number {
  return seconds * 1e3 + nanos / 1e6;
}
