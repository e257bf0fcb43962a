import type { MetricDefinition } from '@temper/core/policy';

/**
 * The naming of metrics in Prometheus, which depends on the ingestion path.
 *
 * - `scrape`: the Prometheus exporter of OpenTelemetry for JavaScript adds `_total` but no unit.
 * - `otlp`: the OTLP receiver of Prometheus and the Collector also add the unit.
 * - `utf8`: the receiver of Prometheus 3 with the translation strategy `NoUTF8EscapingWithSuffixes` keeps
 *   the dots, and adds the same suffixes.
 */
export type NameStyle = 'scrape' | 'otlp' | 'utf8';

/** Every {@link NameStyle}. */
export const NAME_STYLES: readonly NameStyle[] = ['scrape', 'otlp', 'utf8'];

/** The styles whose files are part of this repository. */
export const SHIPPED_STYLES: readonly NameStyle[] = ['scrape', 'otlp'];

/** Suffixes of UCUM units. Annotations such as `{attempt}` have no suffix. */
const UNIT_SUFFIXES: Readonly<Record<string, string>> = { s: 'seconds', By: 'bytes', '1': 'ratio' };

/** The name of a metric in Prometheus; the series of a histogram add `_bucket`, `_sum` and `_count`. */
export function prometheusName(metric: MetricDefinition, style: NameStyle): string {
  const base = style === 'utf8' ? metric.name : metric.name.replaceAll('.', '_');
  const unit = style === 'scrape' ? undefined : UNIT_SUFFIXES[metric.unit];
  // The receiver adds `_ratio` to dimensionless gauges but not to counters.
  const withUnit =
    unit === undefined || (unit === 'ratio' && metric.instrument !== 'gauge') || base.endsWith(unit)
      ? base
      : `${base}_${unit}`;
  return metric.instrument === 'counter' ? `${withUnit}_total` : withUnit;
}

/** The name of an attribute as a Prometheus label. */
export function prometheusLabel(attribute: string, style: NameStyle): string {
  return style === 'utf8' ? attribute : attribute.replaceAll('.', '_');
}

/** A label name as PromQL wants it: in quotes unless it has only letters, digits and underscores. */
export function quotedLabel(label: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(label) ? label : JSON.stringify(label);
}

/** A label in a template of an annotation. */
export function labelTemplate(label: string): string {
  return quotedLabel(label) === label
    ? `{{ $labels.${label} }}`
    : `{{ index $labels ${JSON.stringify(label)} }}`;
}
