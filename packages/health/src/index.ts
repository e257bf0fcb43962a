export {
  type CheckContext,
  type HealthCheck,
  LIVENESS,
  READINESS,
  STARTUP,
} from './check-options.ts';
export {
  type AuditLogCheckOptions,
  type AuditLogCounts,
  type AuditLogLevels,
  type AuditLogLike,
  auditLogCheck,
} from './checks/audit-log.ts';
export { type BreakerCheckOptions, type BreakerLike, breakerCheck } from './checks/breaker.ts';
export type { BuiltInCheckOptions } from './checks/built-in.ts';
export { type CgroupPaths, cgroupMemoryLimit, type MemoryLimit } from './checks/cgroup.ts';
export { type DiskSpaceCheckOptions, diskSpaceCheck } from './checks/disk-space.ts';
export { type DnsCheckOptions, dnsCheck } from './checks/dns.ts';
export { type EventLoopDelayCheckOptions, eventLoopDelayCheck } from './checks/event-loop-delay.ts';
export {
  type EventLoopUtilizationCheckOptions,
  eventLoopUtilizationCheck,
} from './checks/event-loop-utilization.ts';
export {
  type FileDescriptorsCheckOptions,
  fileDescriptorsCheck,
} from './checks/file-descriptors.ts';
export { type HeapCheckOptions, heapCheck } from './checks/heap.ts';
export { type HttpCheckOptions, httpCheck } from './checks/http.ts';
export { type LimiterCheckOptions, type LimiterLike, limiterCheck } from './checks/limiter.ts';
export { type MemoryCheckOptions, memoryCheck } from './checks/memory.ts';
export { type HasStats, type StatsCheckOptions, statsCheck } from './checks/stats.ts';
export { type TcpCheckOptions, tcpCheck } from './checks/tcp.ts';
export { CheckHangingError, DuplicateCheckError } from './errors.ts';
export type { FlappingRule } from './flapping.ts';
export { type FetchHealthHandler, healthFetch } from './http/fetch-handler.ts';
export { healthHandler, type NodeHealthHandler } from './http/node-handler.ts';
export type { HealthHandlerOptions, HealthPaths } from './http/options.ts';
export {
  type CheckOptions,
  type HealthMonitor,
  type HealthStats,
  healthMonitor,
  type StatusChange,
} from './monitor.ts';
export type { HealthMonitorOptions } from './options.ts';
export type { CheckResult, CheckReturn, Observed } from './outcome.ts';
export { type ProcessMetricsOptions, processMetrics } from './process-metrics.ts';
export { PROCESS_METRICS } from './process-semconv.ts';
export type { CheckReport, HealthReport, HealthSummary, HistoryEntry } from './report.ts';
export { HEALTH_METRICS, HEALTH_SPANS } from './semconv.ts';
export { HEALTH_STATUSES, type HealthStatus } from './status.ts';
export type { Uptime } from './uptime.ts';
