import type { MeterProvider, TracerProvider } from '@opentelemetry/api';
import { checkKnown, checkNumber, checkType, methodsRule, show } from '../options.ts';
import { processState } from '../process-state.ts';
import { type Attributes, OVERFLOW } from './definitions.ts';
import { instrumentationScope } from './hub.ts';
import { OwnScope } from './own-scope.ts';
import { type LoggerProvider, processApi } from './process-api.ts';
import { type InstrumentationScope, Scope, type ScopeOptions } from './scope.ts';
import { seriesKey } from './series.ts';
import type { TelemetryScope } from './within.ts';

/** Options of {@link telemetryScope}. */
export interface TelemetryScopeOptions {
  /** Receives the metrics. @defaultValue the registered provider */
  readonly meterProvider?: MeterProvider | undefined;
  /** Receives the spans. @defaultValue the registered provider */
  readonly tracerProvider?: TracerProvider | undefined;
  /** Receives the log records. @defaultValue the registered provider */
  readonly loggerProvider?: LoggerProvider | undefined;
  /**
   * Attributes of all metrics besides Temper's own, such as `tenant` or `region`: at most 8, values of at
   * most 128 characters. Sets of them are bounded, see {@link maxAttributeSets}.
   *
   * @defaultValue none
   * @throws {TypeError} at construction, for a name that Temper uses or a value of another type
   * @throws {RangeError} at construction, for more or longer ones
   */
  readonly metricAttributes?: Attributes | undefined;
  /**
   * Different sets of {@link metricAttributes} that the process may have, from 1. A scope that would be
   * one more has the attribute `otel.metric.overflow` in their place, so that sums stay right. Sets of
   * scopes that were garbage collected do not count.
   *
   * @defaultValue 100
   */
  readonly maxAttributeSets?: number | undefined;
  /**
   * Upper boundaries of the buckets of histograms, by the name of the metric, in ascending order and in
   * the metric's unit. Needs a `meterProvider`, of which the first scope decides: for the registered one,
   * use its views.
   *
   * @defaultValue 1 ms to 10 s; for metrics of what may take microseconds, 10 µs to 10 s
   * @throws {TypeError} at construction, without a `meterProvider`
   * @throws {RangeError} at construction, unless finite and ascending
   */
  readonly bucketBoundaries?: Readonly<Record<string, readonly number[]>> | undefined;
}

const OWNER = 'telemetryScope';
const MAX_ATTRIBUTES = 8;
const MAX_LENGTH = 128;
const MAX_SETS = 100;
const RESERVED = /^(temper\.|otel\.|error\.type$|le$|quantile$)/;

/**
 * Sends the telemetry of some policies to other providers than the registered ones, or gives their
 * metrics further attributes:
 *
 * ```ts
 * const telemetry = telemetryScope({ meterProvider, metricAttributes: { tenant: 'acme' } });
 * const fetching = retry({ name: 'registry', telemetry });
 * ```
 *
 * Each part that is not given is that of the registered provider.
 *
 * @throws {TypeError | RangeError} for an unknown option or one out of range
 */
export function telemetryScope(options: TelemetryScopeOptions): TelemetryScope {
  const known: (keyof TelemetryScopeOptions)[] = [
    'meterProvider',
    'tracerProvider',
    'loggerProvider',
    'metricAttributes',
    'maxAttributeSets',
    'bucketBoundaries',
  ];
  checkKnown(OWNER, options, known);
  for (const [option, method] of [
    ['meterProvider', 'getMeter'],
    ['tracerProvider', 'getTracer'],
    ['loggerProvider', 'getLogger'],
  ] as const) {
    if (options[option] !== undefined) methodsRule(method)(OWNER, option, options[option]);
  }
  const { metricAttributes, maxAttributeSets = MAX_SETS, bucketBoundaries } = options;
  checkNumber(OWNER, 'maxAttributeSets', maxAttributeSets, { min: 1, integer: true });
  if (metricAttributes !== undefined) checkAttributes(metricAttributes);
  if (bucketBoundaries !== undefined) checkBoundaries(bucketBoundaries);
  if (bucketBoundaries !== undefined && options.meterProvider === undefined) {
    throw new TypeError(
      `${OWNER}: bucketBoundaries needs a meterProvider. For the registered one, pass it views, and the ` +
        'same views to temperMetricProducer.',
    );
  }
  return new OwnTelemetry(options, maxAttributeSets);
}

class OwnTelemetry implements TelemetryScope {
  readonly metricAttributes: Attributes | undefined;
  readonly #options: TelemetryScopeOptions;
  readonly #scopes = new Map<string, InstrumentationScope>();

  constructor(options: TelemetryScopeOptions, maxAttributeSets: number) {
    this.#options = { ...options };
    const { metricAttributes } = options;
    this.metricAttributes =
      metricAttributes && admit(this, { ...metricAttributes }, maxAttributeSets);
  }

  scope(options: ScopeOptions): InstrumentationScope {
    const { meterProvider, tracerProvider, loggerProvider } = this.#options;
    const shared = instrumentationScope(options);
    const isRegistered = meterProvider === undefined || processApi()?.metrics === meterProvider;
    const metrics = isRegistered ? shared : this.#ownMetrics(options, meterProvider);
    if (metrics === shared && tracerProvider === undefined && loggerProvider === undefined) {
      return shared;
    }
    let scope = this.#scopes.get(options.name);
    if (scope === undefined) {
      scope = new OwnScope(options, { shared, metrics, tracerProvider, loggerProvider });
      this.#scopes.set(options.name, scope);
    }
    return scope;
  }

  #ownMetrics(options: ScopeOptions, provider: MeterProvider): Scope {
    const { bucketBoundaries = {} } = this.#options;
    const definitions = options.metrics.map((definition) => {
      const boundaries = bucketBoundaries[definition.name];
      return boundaries === undefined ? definition : { ...definition, boundaries: [...boundaries] };
    });
    const byName = ownScopes().get(provider) ?? new Map<string, Scope>();
    ownScopes().set(provider, byName);
    let scope = byName.get(options.name);
    if (scope === undefined) {
      const live = { api: { metrics: provider }, metrics: true, traces: false };
      scope = new Scope({ ...options, metrics: definitions }, live);
      byName.set(options.name, scope);
      scope.bind(undefined);
    } else if (scope.define(definitions)) {
      scope.bind(undefined);
    }
    return scope;
  }
}

/** The packages' metrics by their provider, which all scopes with it share. */
const ownScopes: () => WeakMap<MeterProvider, Map<string, Scope>> = /* @__PURE__ */ processState(
  'own-metrics.1',
  () => new WeakMap(),
);

function checkAttributes(attributes: Attributes): void {
  checkType(OWNER, 'metricAttributes', attributes, 'object');
  const entries = Object.entries(attributes);
  checkNumber(OWNER, 'the number of metricAttributes', entries.length, { max: MAX_ATTRIBUTES });
  for (const [name, value] of entries) {
    if (RESERVED.test(name) || name.length === 0) {
      throw new TypeError(
        `${OWNER}: metricAttributes cannot have ${show(name)}, which has a meaning.`,
      );
    }
    if (!['string', 'number', 'boolean'].includes(typeof value)) {
      throw new TypeError(
        `${OWNER}: metricAttributes.${name} must be a string, number or boolean, got ${show(value)}.`,
      );
    }
    if (typeof value === 'string' && value.length > MAX_LENGTH) {
      throw new RangeError(
        `${OWNER}: metricAttributes.${name} must have at most ${MAX_LENGTH} characters, got ${value.length}.`,
      );
    }
  }
}

function checkBoundaries(all: object): void {
  checkType(OWNER, 'bucketBoundaries', all, 'object');
  for (const [metric, boundaries] of Object.entries(all)) {
    const option = `bucketBoundaries[${show(metric)}]`;
    if (!Array.isArray(boundaries)) {
      throw new TypeError(`${OWNER}: ${option} must be an array, got ${show(boundaries)}.`);
    }
    let last = Number.NEGATIVE_INFINITY;
    for (const boundary of boundaries) {
      checkNumber(OWNER, option, boundary, { min: last, aboveMin: true, infinite: false });
      last = boundary as number;
    }
  }
}

/** The sets of attributes that living scopes have, by their key. */
interface AttributeSets {
  readonly users: Map<string, number>;
  readonly gone: FinalizationRegistry<string>;
}

const sets: () => AttributeSets = /* @__PURE__ */ processState('metric-attributes.1', () => {
  const users = new Map<string, number>();
  const gone = new FinalizationRegistry((key: string) => {
    const left = (users.get(key) ?? 0) - 1;
    if (left > 0) users.set(key, left);
    else users.delete(key);
  });
  return { users, gone };
});

/** @returns the attributes, or those of the overflow when there are too many sets of them */
function admit(scope: TelemetryScope, attributes: Attributes, limit: number): Attributes {
  const { users, gone } = sets();
  const key = seriesKey(attributes);
  if (!users.has(key) && users.size >= limit) return OVERFLOW;
  users.set(key, (users.get(key) ?? 0) + 1);
  gone.register(scope, key);
  return Object.freeze(attributes);
}
