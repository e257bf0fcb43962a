import type { MetricDefinition } from '@temper/core/policy';

/**
 * The naming of metrics in Prometheus, which depends on the ingestion path. `scrape`: the Prometheus
 * exporter of OpenTelemetry for JavaScript adds `_total` but no unit. `otlp`: the OTLP receiver of
 * Prometheus and the Collector also add the unit.
 */
export type NameStyle = 'scrape' | 'otlp';

/** Both {@link NameStyle}s. */
export const NAME_STYLES: readonly NameStyle[] = ['scrape', 'otlp'];

/** Suffixes of UCUM units. Annotations such as `{attempt}` have no suffix. */
const UNIT_SUFFIXES: Readonly<Record<string, string>> = { s: 'seconds', By: 'bytes', '1': 'ratio' };

/** The name of a metric in Prometheus; the series of a histogram add `_bucket`, `_sum` and `_count`. */
export function prometheusName(metric: MetricDefinition, style: NameStyle): string {
  const base = metric.name.replaceAll('.', '_');
  const unit = style === 'otlp' ? UNIT_SUFFIXES[metric.unit] : undefined;
  // The receiver adds `_ratio` to dimensionless gauges but not to counters.
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
