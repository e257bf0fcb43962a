export { ShutdownForcedError, ShuttingDownError } from './errors.ts';
export type { ServerOptions, ShutdownHandler } from './handler-options.ts';
export type {
  ClosableAuditLog,
  GracefulShutdownOptions,
  PhaseOptions,
  ReadinessLike,
  TelemetryLike,
} from './options.ts';
export type { HandlerOrder, HandlerOutcome, ShutdownOutcome } from './phases.ts';
export type { ShutdownReason } from './reason.ts';
export { exitCodeOf, formatReport, type HandlerResult, type ShutdownReport } from './report.ts';
export type { HandlerContext } from './runner.ts';
export { SHUTDOWN_METRICS, SHUTDOWN_SPANS } from './semconv.ts';
export type { TellUpgraded, WebSocketServerLike } from './server/upgrades.ts';
export {
  type GracefulShutdown,
  gracefulShutdown,
  type ShutdownState,
  type ShutdownStats,
} from './shutdown.ts';
