import { AUDIT_METRICS, SHIP_METRICS } from '@temper/audit/semconv';
import { BREAKER_METRICS, BREAKER_SPANS } from '@temper/breaker/semconv';
import {
  type AttributeDefinition,
  CORE_METRICS,
  type MetricDefinition,
  type SpanDefinition,
} from '@temper/core/policy';
import { FORECAST_METRICS } from '@temper/forecast/semconv';
import { HEALTH_METRICS, HEALTH_SPANS, PROCESS_METRICS } from '@temper/health/semconv';
import { RATELIMIT_METRICS, RATELIMIT_SPANS } from '@temper/ratelimit/semconv';
import { RECOVERY_METRICS, RECOVERY_SPANS } from '@temper/recovery/semconv';
import { RETRY_METRICS, RETRY_SPANS } from '@temper/retry/semconv';
import { SHUTDOWN_METRICS, SHUTDOWN_SPANS } from '@temper/shutdown/semconv';

/** The metrics and spans of one package. */
export interface PackageTelemetry {
  readonly name: string;
  readonly metrics: readonly MetricDefinition[];
  readonly spans: readonly SpanDefinition[];
}

/** The metrics and spans of all packages, from the packages' constants. */
export const CATALOG: readonly PackageTelemetry[] = [
  { name: 'core', metrics: CORE_METRICS, spans: [] },
  { name: 'retry', metrics: RETRY_METRICS, spans: RETRY_SPANS },
  { name: 'breaker', metrics: BREAKER_METRICS, spans: BREAKER_SPANS },
  { name: 'ratelimit', metrics: RATELIMIT_METRICS, spans: RATELIMIT_SPANS },
  { name: 'recovery', metrics: RECOVERY_METRICS, spans: RECOVERY_SPANS },
  { name: 'audit', metrics: [...AUDIT_METRICS, ...SHIP_METRICS], spans: [] },
  { name: 'health', metrics: [...HEALTH_METRICS, ...PROCESS_METRICS], spans: HEALTH_SPANS },
  { name: 'forecast', metrics: FORECAST_METRICS, spans: [] },
  { name: 'shutdown', metrics: SHUTDOWN_METRICS, spans: SHUTDOWN_SPANS },
];

/** All metrics by name. */
export const METRICS: ReadonlyMap<string, MetricDefinition> = new Map(
  CATALOG.flatMap(({ metrics }) => metrics.map((metric) => [metric.name, metric] as const)),
);

/** All attributes by name, each with its definitions from all packages. */
export function attributes(): ReadonlyMap<string, readonly AttributeDefinition[]> {
  const all = new Map<string, AttributeDefinition[]>();
  for (const { metrics, spans } of CATALOG) {
    for (const attribute of [...metrics, ...spans].flatMap((one) => one.attributes)) {
      const known = all.get(attribute.name) ?? [];
      if (!known.includes(attribute)) known.push(attribute);
      all.set(attribute.name, known);
    }
  }
  return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}
