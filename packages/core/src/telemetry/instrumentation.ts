import type { Context } from '@opentelemetry/api';
import { safeLines, safeText } from '../text.ts';
import type { Counts, Variants } from './counters.ts';
import type { Attributes, Cell, MetricDefinition } from './definitions.ts';
import { ErrorTypeCells } from './error-types.ts';
import { instrumentationScope } from './hub.ts';
import type { ReadLevels } from './levels.ts';
import { activeContext, SEVERITY } from './process-api.ts';
import type { InstrumentationScope, ScopeOptions } from './scope.ts';
import { ATTR_OUTCOME, ATTR_POLICY_NAME } from './semconv.ts';
import { type HistogramSeries, joinAttributes, type Live } from './series.ts';
import { GuardedSpan } from './spans.ts';
import type { TelemetryScope } from './within.ts';

/** A log record for one of the few events that deserve one. */
export interface LogEvent {
  /** The event's name, such as `temper.retry.exhausted`. */
  readonly event: string;
  readonly severity: 'INFO' | 'WARN';
  /** For people. Bounded and scrubbed on its way out; computed only where records are collected. */
  readonly body: string | (() => string);
  /** Whether the body keeps its lines, as a report does. @defaultValue false */
  readonly multiline?: boolean;
  /** Computed, as a function, only where records are collected. */
  readonly attributes: Attributes | (() => Attributes);
  /** The context of the span that the record leads to. @defaultValue the active one */
  readonly context?: Context | undefined;
}

/**
 * The telemetry of one package, from the table of its names. Nothing is registered, and no global is
 * touched, before the package's first policy is created.
 */
export class Instrumentation {
  readonly #options: ScopeOptions;
  readonly #within: TelemetryScope | undefined;
  readonly #others = new WeakMap<TelemetryScope, Instrumentation>();
  readonly #reads = new Map<ReadLevels<never>, ReadLevels<never>>();
  readonly #ended = (owner: object): void => this.release(owner as { readonly name: string });
  #scope: InstrumentationScope | undefined;

  /** @param within - see {@link Instrumentation.of} */
  constructor(options: ScopeOptions, within?: TelemetryScope) {
    this.#options = options;
    this.#within = within;
  }

  get scope(): InstrumentationScope {
    this.#scope ??=
      this.#within === undefined
        ? instrumentationScope(this.#options)
        : this.#within.scope(this.#options);
    return this.#scope;
  }

  /**
   * The telemetry of the package for a policy with this option `telemetry`: with the providers and
   * attributes of the scope.
   */
  of(within: TelemetryScope | undefined): Instrumentation {
    if (within === undefined) return this;
    let other = this.#others.get(within);
    if (other === undefined) {
      other = new Instrumentation(this.#options, within);
      this.#others.set(within, other);
    }
    return other;
  }

  /** Attributes of a series with those of the scope; the same object for the same attributes. */
  attributes(own: Attributes): Attributes {
    const more = this.#within?.metricAttributes;
    return more === undefined ? own : joinAttributes(own, more);
  }

  get live(): Live {
    return this.scope.live;
  }

  /** Counts of a policy by outcome or the like; see {@link InstrumentationScope.counts}. */
  counts<K extends string>(
    owner: object & { readonly name: string },
    metric: MetricDefinition,
    variants: Variants<K>,
  ): Counts<K> {
    return this.scope.counts(owner, metric, this.#base(owner.name), variants);
  }

  /**
   * The series of a counter, with these attributes besides the policy's name. It is found fast by an object
   * of attributes that is kept.
   */
  counter(metric: MetricDefinition, policy: string, attributes?: Attributes): Cell {
    const base = this.#base(policy);
    return this.scope.counter(metric, besides(base, attributes), base);
  }

  /** The series of a counter by `error.type`. */
  errorTypes(metric: MetricDefinition, policy: string, attributes?: Attributes): ErrorTypeCells {
    const base = this.#base(policy);
    return new ErrorTypeCells(this.scope, metric, base, besides(base, attributes));
  }

  /** The series of a histogram; see {@link counter}. */
  histogram(metric: MetricDefinition, policy: string, attributes?: Attributes): HistogramSeries {
    const base = this.#base(policy);
    return this.scope.histogram(metric, besides(base, attributes), base);
  }

  /**
   * Ends the series of a policy that is disposed of: with the last of its name they are exported once
   * more, and then no longer.
   */
  release(owner: object & { readonly name: string }): void {
    this.scope.release(owner);
    byName.delete(owner.name);
  }

  /**
   * Reads levels of `owner` at each collection, until disposed of, which also ends the series of the
   * owner; see {@link release}.
   */
  observe<T extends object & { readonly name: string }>(owner: T, read: ReadLevels<T>): Disposable {
    return this.scope.observe(owner, this.#withAttributes(read), this.#ended);
  }

  /** Reads levels of an owner that is no policy. */
  observeUnnamed<T extends object>(owner: T, read: ReadLevels<T>): Disposable {
    return this.scope.observe(owner, this.#withAttributes(read));
  }

  #withAttributes<T extends object>(read: ReadLevels<T>): ReadLevels<T> {
    if (this.#within?.metricAttributes === undefined) return read;
    let reads = this.#reads.get(read as ReadLevels<never>) as ReadLevels<T> | undefined;
    if (reads === undefined) {
      reads = (owner, emit) =>
        read(owner, (metric, own, value) => emit(metric, this.attributes(own), value));
      this.#reads.set(read as ReadLevels<never>, reads as ReadLevels<never>);
    }
    return reads;
  }

  #base(policy: string): Attributes {
    return this.attributes(policyAttributes(policy));
  }

  /** Starts a span; see {@link GuardedSpan}. */
  span(name: string, attributes: Attributes, parent?: Context, startTime?: number): GuardedSpan {
    return new GuardedSpan(this.scope, name, attributes, parent, startTime);
  }

  /** Writes a log record. Never throws. */
  log({ event, severity, body, multiline = false, attributes, context: parent }: LogEvent): void {
    this.scope.safely(() => {
      const { logger } = this.scope;
      if (logger === undefined) return;
      const severityNumber = SEVERITY[severity];
      const active = parent ?? activeContext();
      if (logger.enabled?.({ eventName: event, severityNumber, context: active }) === false) return;
      const text = typeof body === 'function' ? body() : body;
      logger.emit({
        eventName: event,
        severityNumber,
        severityText: severity,
        body: multiline ? safeLines(text) : safeText(text),
        attributes: typeof attributes === 'function' ? attributes() : attributes,
        context: active,
      });
    });
  }
}

function besides(base: Attributes, attributes: Attributes | undefined): Attributes {
  return attributes === undefined ? base : joinAttributes(base, attributes);
}

const byName = new Map<string, Attributes>();

/** The attribute that every series of a policy has. The same object for equal names. */
export function policyAttributes(policy: string): Attributes {
  let attributes = byName.get(policy);
  if (attributes === undefined) {
    attributes = Object.freeze({ [ATTR_POLICY_NAME.name]: policy });
    byName.set(policy, attributes);
  }
  return attributes;
}

/** One variant for each outcome, told apart by `temper.outcome`. */
export function byOutcome<K extends string>(outcomes: readonly K[]): Variants<K> {
  return by(ATTR_OUTCOME, outcomes);
}

/** One variant for each value, told apart by this attribute. */
export function by<K extends string>(attribute: string, values: readonly K[]): Variants<K> {
  return Object.fromEntries(values.map((value) => [value, { [attribute]: value }])) as never;
}
