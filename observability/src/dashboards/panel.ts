import type { RunbookId } from '@temper/runbooks';
import type { Names } from '../names.ts';

/** One query of a panel. */
interface PanelQuery {
  readonly expr: (names: Names) => string;
  /** Grafana's legend template. */
  readonly legend: string;
}

/** The definition of a panel. */
export interface Panel {
  readonly title: string;
  /** What the panel shows and which values are a problem. */
  readonly description: string;
  readonly kind: 'timeseries' | 'stat' | 'states';
  /** A Grafana unit: `s`, `reqps`, `percentunit`, `bytes`, `short`. */
  readonly unit: string;
  readonly queries: readonly PanelQuery[];
  /** The runbook for abnormal values. */
  readonly runbook?: RunbookId;
  /** Why the panel may be empty on a healthy service. A test requires data when this is not set. */
  readonly emptyWhen?: string;
  /** Width in columns, of 24. @defaultValue 12; 6 for a stat */
  readonly span?: number;
}

/** The definition of a dashboard. */
export interface DashboardDefinition {
  /** `temper-…`; the OTLP variant adds `-otlp`. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[];
}

/** The rate of a counter, summed by labels. */
export function rateBy(
  metric: string,
  by: readonly string[],
  where: Readonly<Record<string, string | readonly string[]>> = {},
): PanelQuery['expr'] {
  return (n) =>
    `sum by (${by.map((one) => n.label(metric, one)).join(', ')}) (rate(${n.of(metric, where)}[$__rate_interval]))`;
}

/** A quantile of a histogram by labels. */
export function quantileBy(
  quantile: number,
  metric: string,
  by: readonly string[],
): PanelQuery['expr'] {
  return (n) =>
    `histogram_quantile(${quantile}, sum by (${['le', ...by.map((one) => n.label(metric, one))].join(', ')}) (rate(${n.buckets(metric)}[$__rate_interval])))`;
}

/** A gauge, aggregated by labels. */
export function levelBy(
  aggregate: 'sum' | 'max' | 'min',
  metric: string,
  by: readonly string[],
  where: Readonly<Record<string, string | readonly string[]>> = {},
): PanelQuery['expr'] {
  return (n) =>
    `${aggregate} by (${by.map((one) => n.label(metric, one)).join(', ')}) (${n.of(metric, where)})`;
}

/** The attribute with the policy's name, which every policy metric has. */
export const POLICY = 'temper.policy.name';
/** The attribute with the outcome of an operation. */
export const OUTCOME = 'temper.outcome';
