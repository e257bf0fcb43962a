import type { RunbookId } from '@temper/runbooks';
import type { Names } from '../names.ts';

/** One line, or set of lines, of a panel. */
interface PanelQuery {
  readonly expr: (names: Names) => string;
  /** Grafana's legend template. */
  readonly legend: string;
}

/** One panel, before it is Grafana's. */
export interface Panel {
  readonly title: string;
  /** What it shows, and when to worry. */
  readonly description: string;
  readonly kind: 'timeseries' | 'stat' | 'states';
  /** A Grafana unit: `s`, `reqps`, `percentunit`, `bytes`, `short`. */
  readonly unit: string;
  readonly queries: readonly PanelQuery[];
  /** Where an alarming value leads. */
  readonly runbook?: RunbookId;
  /** Why the panel may be empty on a service that is well. Without it, a test demands data. */
  readonly emptyWhen?: string;
  /** Of 24 columns. @defaultValue 12, 6 for a stat */
  readonly span?: number;
}

/** One dashboard, before it is Grafana's. */
export interface DashboardDefinition {
  /** `temper-…`; the OTLP form adds `-otlp`. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly { readonly title: string; readonly panels: readonly Panel[] }[];
}

/** A rate by labels. */
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

/** A level by labels. */
export function levelBy(
  aggregate: 'sum' | 'max' | 'min',
  metric: string,
  by: readonly string[],
  where: Readonly<Record<string, string | readonly string[]>> = {},
): PanelQuery['expr'] {
  return (n) =>
    `${aggregate} by (${by.map((one) => n.label(metric, one)).join(', ')}) (${n.of(metric, where)})`;
}

/** The policy's name, which is on every series. */
export const POLICY = 'temper.policy.name';
/** How a thing ended. */
export const OUTCOME = 'temper.outcome';
