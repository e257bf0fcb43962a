import { checkNumber, checkType } from '../options.ts';
import { explicitShape, exponentialShape } from './buckets.ts';
import { type Attributes, DURATION_BOUNDARIES, type MetricDefinition } from './definitions.ts';
import { warn } from './diagnostics.ts';
import type { ScopeName } from './producers.ts';
import { SCHEMA_URL } from './semconv.ts';
import type { BucketShape } from './series.ts';

/** Alters the metrics that it selects. The SDK's own `ViewOptions`, as a `MeterProvider` takes them. */
export interface MetricView {
  /** The metric's name, with `*` for any characters. */
  readonly instrumentName?: string | undefined;
  /** `COUNTER`, `UP_DOWN_COUNTER`, `GAUGE` or `HISTOGRAM`, or the observable form of these. */
  readonly instrumentType?: string | undefined;
  readonly instrumentUnit?: string | undefined;
  /** The package's name, such as `@temper/retry`. */
  readonly meterName?: string | undefined;
  readonly meterVersion?: string | undefined;
  readonly meterSchemaUrl?: string | undefined;
  /** The metric's new name. */
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  /** Applied in order, such as the SDK's `createAllowListAttributesProcessor(['…'])`. */
  readonly attributesProcessors?: readonly AttributesProcessor[] | undefined;
  /** The SDK's `AggregationOption`: drop, other boundaries, an exponential histogram, a sum. */
  readonly aggregation?: { readonly type: number; readonly options?: object } | undefined;
  /** Most series of the metric. */
  readonly aggregationCardinalityLimit?: number | undefined;
}

/** The SDK's `IAttributesProcessor`. */
interface AttributesProcessor {
  // biome-ignore lint/suspicious/noExplicitAny: the SDK's Attributes and Context of any version
  process(incoming: any, context?: any): any;
}

/** One metric as it is exported. */
export interface Stream {
  readonly name: string;
  readonly description: string;
  readonly definition: MetricDefinition;
  /** The SDK's `InstrumentType`. */
  readonly type: string;
  readonly kind: 'sum' | 'gauge' | 'histogram';
  /** Of a histogram that is kept in buckets. */
  readonly shape: BucketShape | undefined;
  readonly minMax: boolean;
  readonly limit: number;
  /** What remains of a series' attributes; `undefined` where all remain. */
  readonly attributesOf: ((attributes: Attributes) => Attributes) | undefined;
}

/** OpenTelemetry SDK's `AggregationType`. */
const DEFAULT = 0;
const DROP = 1;
const SUM = 2;
const LAST_VALUE = 3;
const EXPLICIT = 4;
const EXPONENTIAL = 5;
const DEFAULT_MAX_SIZE = 160;

/** What selects metrics. */
const SELECTORS = [
  'instrumentName',
  'instrumentType',
  'instrumentUnit',
  'meterName',
  'meterVersion',
  'meterSchemaUrl',
] as const;

const TYPES: Readonly<Record<MetricDefinition['instrument'], string>> = {
  counter: 'COUNTER',
  updowncounter: 'UP_DOWN_COUNTER',
  gauge: 'GAUGE',
  histogram: 'HISTOGRAM',
};

/**
 * How a metric is exported under these views: unchanged where none selects it, once per view that does,
 * and not at all where that view drops it.
 */
export function streamsOf(
  views: readonly MetricView[],
  limit: number,
  scope: ScopeName,
  definition: MetricDefinition,
): readonly Stream[] {
  const selected = views.filter((view) => selects(view, scope, definition));
  if (selected.length === 0) return [streamOf({}, limit, definition)];
  return selected
    .filter((view) => view.aggregation?.type !== DROP)
    .map((view) => streamOf(view, limit, definition));
}

/** @throws {TypeError | RangeError} when a view selects nothing in particular or is no view */
export function checkView(owner: string, index: number, view: unknown): void {
  const option = `views[${index}]`;
  checkType(owner, option, view, 'object');
  const { attributesProcessors = [], aggregationCardinalityLimit } = view as MetricView;
  if (SELECTORS.every((selector) => (view as MetricView)[selector] === undefined)) {
    throw new TypeError(
      `${owner}: ${option} must be one of the SDK's ViewOptions with something that selects metrics, such as instrumentName.`,
    );
  }
  for (const processor of attributesProcessors) {
    checkType(owner, `${option}.attributesProcessors[].process`, processor?.process, 'function');
  }
  if (aggregationCardinalityLimit !== undefined) {
    const range = { min: 1, integer: true };
    checkNumber(owner, `${option}.aggregationCardinalityLimit`, aggregationCardinalityLimit, range);
  }
}

function selects(view: MetricView, scope: ScopeName, { name, unit, instrument }: MetricDefinition) {
  const { instrumentName, instrumentType, instrumentUnit } = view;
  const { meterName, meterVersion, meterSchemaUrl } = view;
  return (
    (instrumentName === undefined || matches(instrumentName, name)) &&
    (instrumentType === undefined ||
      instrumentType.replace('OBSERVABLE_', '') === TYPES[instrument]) &&
    (instrumentUnit === undefined || instrumentUnit === unit) &&
    (meterName === undefined || meterName === scope.name) &&
    (meterVersion === undefined || meterVersion === scope.version) &&
    (meterSchemaUrl === undefined || meterSchemaUrl === SCHEMA_URL)
  );
}

function matches(pattern: string, name: string): boolean {
  const parts = pattern.split('*');
  const first = parts.shift() as string;
  const last = parts.pop();
  if (last === undefined) return name === pattern;
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const part of parts) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}

function streamOf(view: MetricView, limit: number, definition: MetricDefinition): Stream {
  const { attributesProcessors = [] } = view;
  return {
    name: view.name ?? definition.name,
    description: view.description ?? definition.description,
    definition,
    type: TYPES[definition.instrument],
    ...aggregationOf(view, definition),
    limit: view.aggregationCardinalityLimit ?? limit,
    attributesOf:
      attributesProcessors.length === 0
        ? undefined
        : (attributes) =>
            attributesProcessors.reduce((left, each) => each.process(left), attributes),
  };
}

type Aggregation = Pick<Stream, 'kind' | 'shape' | 'minMax'>;

function aggregationOf(
  { aggregation, instrumentName }: MetricView,
  definition: MetricDefinition,
): Aggregation {
  const { name, instrument } = definition;
  const { type = DEFAULT, options = {} } = aggregation ?? {};
  const found =
    instrument === 'histogram'
      ? histogramOf(type, options, definition)
      : otherOf(type, instrument === 'gauge' ? LAST_VALUE : SUM);
  if (found !== undefined) return found;
  warn(
    `temperMetricProducer: a view of ${instrumentName ?? '*'} asks for an aggregation (${type}) that ${name} cannot have; it keeps its own.`,
  );
  return aggregationOf({}, definition);
}

/** @returns undefined when a histogram cannot have this aggregation */
function histogramOf(
  type: number,
  options: { boundaries?: number[]; maxSize?: number; recordMinMax?: boolean },
  { boundaries = DURATION_BOUNDARIES }: MetricDefinition,
): Aggregation | undefined {
  const { maxSize = DEFAULT_MAX_SIZE, recordMinMax: minMax = true } = options;
  switch (type) {
    case DEFAULT:
      return { kind: 'histogram', shape: explicitShape(boundaries), minMax };
    case EXPLICIT: {
      const chosen = [...(options.boundaries ?? boundaries)].sort((a, b) => a - b);
      return { kind: 'histogram', shape: explicitShape(chosen), minMax };
    }
    case EXPONENTIAL:
      return { kind: 'histogram', shape: exponentialShape(maxSize), minMax };
    case SUM:
      return { kind: 'sum', shape: explicitShape([]), minMax };
    default:
      return undefined;
  }
}

/** @returns undefined for any aggregation but the natural one */
function otherOf(type: number, natural: typeof SUM | typeof LAST_VALUE): Aggregation | undefined {
  if (type !== DEFAULT && type !== natural) return undefined;
  return { kind: natural === SUM ? 'sum' : 'gauge', shape: undefined, minMax: true };
}
