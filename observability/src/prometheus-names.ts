import type { MetricDefinition } from '@temper/core';

/**
 * How a metric is called in Prometheus, which depends on how it got there. `scrape`: by the
 * Prometheus exporter of OpenTelemetry for JavaScript, which adds `_total` but no unit. `otlp`: by
 * Prometheus's OTLP receiver or the Collector, which add the unit too.
 */
export type NameStyle = 'scrape' | 'otlp';

/** Both {@link NameStyle}s. */
export const NAME_STYLES: readonly NameStyle[] = ['scrape', 'otlp'];

/** UCUM units and what they become; annotations such as `{attempt}` become nothing. */
const UNIT_SUFFIXES: Readonly<Record<string, string>> = { s: 'seconds', By: 'bytes', '1': 'ratio' };

/** The name of the metric's family; a histogram's series add `_bucket`, `_sum` and `_count`. */
export function prometheusName(metric: MetricDefinition, style: NameStyle): string {
  const base = metric.name.replaceAll('.', '_');
  const unit = style === 'otlp' ? UNIT_SUFFIXES[metric.unit] : undefined;
  // The receiver calls a dimensionless gauge a ratio, and leaves counters of ratios alone.
  const withUnit =
    unit === undefined || (unit === 'ratio' && metric.instrument !== 'gauge') || base.endsWith(unit)
      ? base
      : `${base}_${unit}`;
  return metric.instrument === 'counter' ? `${withUnit}_total` : withUnit;
}

/** The name of an attribute as a Prometheus label. */
export function prometheusLabel(attribute: string): string {
  return attribute.replaceAll('.', '_');
}
