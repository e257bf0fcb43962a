import type { Context } from '@opentelemetry/api';
import { safeLines, safeText } from '../text.ts';
import type { Attributes, MetricDefinition } from './definitions.ts';
import { ErrorTypeCells } from './error-types.ts';
import { instrumentationScope } from './hub.ts';
import type { ReadLevels } from './levels.ts';
import { activeContext, SEVERITY } from './process-api.ts';
import type { InstrumentationScope, ScopeOptions } from './scope.ts';
import { ATTR_OUTCOME, ATTR_POLICY_NAME } from './semconv.ts';
import type { Cell, Counts, HistogramSeries, Live, Variants } from './series.ts';
import { GuardedSpan } from './spans.ts';

/** A log record for one of the few events that deserve one. */
export interface LogEvent {
  /** The event's name, such as `temper.retry.exhausted`. */
  readonly event: string;
  readonly severity: 'INFO' | 'WARN';
  /** For people. Bounded and scrubbed on its way out; computed only where records are collected. */
  readonly body: string | (() => string);
  /** Whether the body keeps its lines, as a report does. @defaultValue false */
  readonly multiline?: boolean;
  readonly attributes: Attributes;
  /** The context of the span that the record leads to. @defaultValue the active one */
  readonly context?: Context | undefined;
}

/**
 * The telemetry of one package, from the table of its names. Nothing is registered, and no global is
 * touched, before the package's first policy is created.
 */
export class Instrumentation {
  readonly #options: ScopeOptions;
  #scope: InstrumentationScope | undefined;

  constructor(options: ScopeOptions) {
    this.#options = options;
  }

  get scope(): InstrumentationScope {
    this.#scope ??= instrumentationScope(this.#options);
    return this.#scope;
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
    return this.scope.counts(owner, metric, policyAttributes(owner.name), variants);
  }

  /** The series of a counter, with these attributes besides the policy's name. */
  counter(metric: MetricDefinition, policy: string, attributes?: Attributes): Cell {
    return this.scope.counter(metric, { ...policyAttributes(policy), ...attributes });
  }

  /** The series of a counter by `error.type`. */
  errorTypes(metric: MetricDefinition, policy: string, attributes?: Attributes): ErrorTypeCells {
    return new ErrorTypeCells(this.scope, metric, { ...policyAttributes(policy), ...attributes });
  }

  /** The series of a histogram, with these attributes besides the policy's name. */
  histogram(metric: MetricDefinition, policy: string, attributes?: Attributes): HistogramSeries {
    return this.scope.histogram(metric, { ...policyAttributes(policy), ...attributes });
  }

  /** Reads levels of `owner` at each collection; see {@link InstrumentationScope.observe}. */
  observe<T extends object>(owner: T, read: ReadLevels<T>): Disposable {
    return this.scope.observe(owner, read);
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
        attributes,
        context: active,
      });
    });
  }
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
