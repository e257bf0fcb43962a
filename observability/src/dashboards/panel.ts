import type { RunbookId } from '@temper/runbooks';
import type { Names } from '../names.ts';

/** What not every service has, by the name that the setting `uses` has for it. */
export const FEATURES = {
  'retry-budget': 'a retry budget',
  'failure-rate': 'a breaker with a failure rate',
  'slow-calls': 'a breaker with a threshold for slow calls',
  concurrency: 'a concurrency limiter',
  keys: 'a limiter per key',
  'shared-store': 'a limiter with a shared store',
  throttle: 'a client-side throttle',
  pipelines: 'a registry of named pipelines',
  hedge: 'a hedge',
  'adaptive-hedge': 'a hedge that follows the latencies',
  'adaptive-timeout': 'a timeout that follows the latencies',
  fallback: 'a fallback policy',
  cache: 'a cache policy',
  fetch: 'a resilient fetch',
  plan: 'a recovery plan',
  predictor: 'a failure predictor',
  autotuner: 'an autotuner',
  'predictive-limit': 'a limit that follows a forecast',
  scaling: 'a scaling signal',
  chaos: 'a chaos policy',
  push: 'what a process exports at the end of its shutdown',
  shipping: 'an audit log that is shipped',
} as const;

/** A name of {@link FEATURES}. */
export type Feature = keyof typeof FEATURES;

/** One query of a panel. */
interface PanelQuery {
  readonly expr: (names: Names) => string;
  /** What the service must have for it. @defaultValue that of the panel */
  readonly needs?: Feature;
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
  /** What the service must have for this panel. Without it there is none, or it is empty. */
  readonly needs?: Feature;
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

/**
 * The part of a dashboard that is about what a service has; `undefined` if that is nothing.
 *
 * @param uses - what it has; `null` for a service of which nothing is known
 */
export function usedPart(
  dashboard: DashboardDefinition,
  uses: readonly Feature[] | null,
): DashboardDefinition | undefined {
  const used = (needs: Feature | undefined): boolean =>
    needs === undefined || uses === null || uses.includes(needs);
  const rows = dashboard.rows.flatMap((row) => {
    const panels = row.panels.flatMap((panel) => {
      if (!used(panel.needs)) return [];
      const queries = panel.queries.filter(({ needs }) => used(needs));
      return queries.length === 0 ? [] : { ...panel, queries };
    });
    return panels.length === 0 ? [] : { ...row, panels };
  });
  return rows.length === 0 ? undefined : { ...dashboard, rows };
}

/** Why a panel may be empty. */
export function emptyReason(
  { needs, emptyWhen }: Panel,
  uses: readonly Feature[] | null,
): string | undefined {
  const without = needs === undefined || uses !== null ? [] : [`needs ${FEATURES[needs]}`];
  const reasons = [...without, ...(emptyWhen === undefined ? [] : [emptyWhen])];
  return reasons.length === 0 ? undefined : reasons.join(', or ');
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
