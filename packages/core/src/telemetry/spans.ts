import { context, type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import { errorType } from '../classify.ts';
import { messageOf } from '../options.ts';
import type { Attributes, MetricDefinition } from './definitions.ts';
import type { InstrumentationScope } from './scope.ts';
import { ATTR_ERROR_TYPE } from './semconv.ts';
import { type Cell, seriesKey } from './series.ts';

/**
 * Which calls get spans: every one, only those in which something went wrong (made when it does, with
 * the time at which the call began), or none.
 */
export type SpanMode = 'all' | 'failures' | 'none';

/** Every {@link SpanMode}. */
export const SPAN_MODES: readonly SpanMode[] = ['all', 'failures', 'none'];

/** Marks a span as failed: `error.type` and status ERROR, but no exception event (deprecated). */
export function failSpan(span: Span, error: unknown): void {
  span.setAttribute(ATTR_ERROR_TYPE.name, errorType(error));
  span.setStatus({
    code: SpanStatusCode.ERROR,
    message: messageOf(error),
  });
}

/** Runs `fn` with `span` as the active one, so that what it starts becomes a child. */
export function runInSpan<T>(span: Span, fn: () => T): T {
  return context.with(trace.setSpan(context.active(), span), fn);
}

/** Most values of `error.type` that policies of one name count apart, `_OTHER` for the rest included. */
const MAX_ERROR_TYPES = 12;

/** By scope, then by metric and attributes: policies of one name share a bound as they share series. */
const opened = new WeakMap<InstrumentationScope, Map<string, Map<string, Cell>>>();

/** The series of a counter split by `error.type`, of bounded number. */
export class ErrorTypeCells {
  readonly #scope: InstrumentationScope;
  readonly #definition: MetricDefinition;
  readonly #attributes: Attributes;
  readonly #cells: Map<string, Cell>;

  constructor(scope: InstrumentationScope, definition: MetricDefinition, attributes: Attributes) {
    this.#scope = scope;
    this.#definition = definition;
    this.#attributes = attributes;
    const families = entry(opened, scope, () => new Map<string, Map<string, Cell>>());
    this.#cells = entry(families, `${definition.name} ${seriesKey(attributes)}`, () => new Map());
  }

  /** The series that this error counts in. */
  of(error: unknown): Cell {
    const type = errorType(error);
    return (
      this.#cells.get(type) ?? this.#open(this.#cells.size < MAX_ERROR_TYPES - 1 ? type : '_OTHER')
    );
  }

  #open(type: string): Cell {
    let cell = this.#cells.get(type);
    if (cell === undefined) {
      const attributes = { ...this.#attributes, [ATTR_ERROR_TYPE.name]: type };
      cell = this.#scope.counter(this.#definition, attributes);
      this.#cells.set(type, cell);
    }
    return cell;
  }
}

function entry<K, V>(
  map: { get(key: K): V | undefined; set(key: K, value: V): unknown },
  key: K,
  make: () => V,
): V {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}
