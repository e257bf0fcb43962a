// What a service calls, what its own checks and callbacks receive and return, and what the monitor
// returns. The built-in checks are in `@temper/health/checks`, the names of metrics, spans and
// attributes in `@temper/health/semconv`.
export type { CheckContext, HealthCheck } from './check-options.ts';
export { DuplicateCheckError } from './errors.ts';
export { type FetchHealthHandler, healthFetch } from './http/fetch-handler.ts';
export { healthHandler, type NodeHealthHandler } from './http/node-handler.ts';
export type { HealthHandlerOptions } from './http/options.ts';
export { type HealthMonitor, type HealthStats, healthMonitor } from './monitor.ts';
export type { HealthMonitorOptions } from './options.ts';
export type { CheckResult } from './outcome.ts';
export { processMetrics } from './process-metrics.ts';
export type {
  CheckReport,
  HealthReport,
  HealthSummary,
  HistoryEntry,
  StatusChange,
} from './report.ts';
export type { HealthStatus } from './status.ts';
export type { Uptime } from './uptime.ts';
