/** The value of an attribute. */
export type AttributeValue = string | number | boolean;

/** Attributes of a series or span. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** OpenTelemetry's attribute of the series that counts what is beyond a limit of series. */
export const OVERFLOW: Attributes = { 'otel.metric.overflow': true };

/** An attribute, as reference pages, dashboards and tests read it. */
export interface AttributeDefinition {
  readonly name: string;
  readonly description: string;
  /** Every value there is, when the list is closed; otherwise {@link example} shows some. */
  readonly values?: readonly AttributeValue[];
  readonly example?: string;
}

/** A metric, as the exporter, reference pages, dashboards and tests read it. */
export interface MetricDefinition {
  /** Dotted, lower case, without unit or `_total`. */
  readonly name: string;
  readonly instrument: 'counter' | 'updowncounter' | 'gauge' | 'histogram';
  /** UCUM: `s`, `1`, `{attempt}`. */
  readonly unit: string;
  readonly description: string;
  readonly attributes: readonly AttributeDefinition[];
  /** Bucket boundaries of a histogram. @defaultValue {@link DURATION_BOUNDARIES} */
  readonly boundaries?: readonly number[];
  /**
   * What several living policies of one name add up to in one series of a level.
   * @defaultValue 'sum' for an up-down counter, 'max' for a gauge
   */
  readonly merge?: 'sum' | 'max' | 'min';
  /**
   * Of a gauge that is 1 for one of several states: the attribute that tells them apart, and its values.
   * Where policies of one name are in different states, only the worst is 1.
   */
  readonly states?: { readonly attribute: string; readonly worstFirst: readonly AttributeValue[] };
  /**
   * What a level shows when no living policy feeds its series any more. It has to show something, as
   * OpenTelemetry's SDK for JavaScript repeats the last value that it saw for ever. `NaN` where 0
   * would raise an alarm.
   * @defaultValue 0
   */
  readonly whenGone?: number;
  /** When the number should worry somebody, for the reference page. */
  readonly alert?: string;
}

/** A span, as reference pages and tests read it. */
export interface SpanDefinition {
  /** With `<placeholders>` for the parts that vary. */
  readonly name: string;
  readonly kind: 'internal' | 'client' | 'server';
  readonly description: string;
  readonly attributes: readonly AttributeDefinition[];
  /** When the span's status is ERROR. */
  readonly status: string;
}

/**
 * Bucket boundaries for durations in seconds, a millisecond to ten seconds. The SDK's own defaults
 * are made for milliseconds and useless here.
 */
export const DURATION_BOUNDARIES: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/**
 * Bucket boundaries in seconds for what may take microseconds, such as a decision or an answer from
 * memory: 10 microseconds to ten seconds.
 */
export const FAST_DURATION_BOUNDARIES: readonly number[] = [
  0.00001,
  0.000025,
  0.00005,
  0.0001,
  0.00025,
  0.0005,
  ...DURATION_BOUNDARIES,
];

/** One counted series. Adding to {@link value} is all there is to it. */
export interface Cell {
  value: number;
}
