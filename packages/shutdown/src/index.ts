// The factory, what its methods return, and what a handler receives. Option shapes that users write
// inline, and unions that can be read off these types, are not exported.
export { ShutdownForcedError, ShuttingDownError } from './errors.ts';
export type { ShutdownHandler } from './handler-options.ts';
export type { GracefulShutdownOptions } from './options.ts';
export { formatReport, type HandlerResult, type ShutdownReport } from './report.ts';
export type { HandlerContext } from './runner.ts';
export { type GracefulShutdown, gracefulShutdown, type ShutdownStats } from './shutdown.ts';
