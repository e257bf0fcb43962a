export type { AuditWriter, AuditWriterStats } from '../log/audit-log.ts';
export type { SocketLogOptions } from './client-options.ts';
export {
  type LogServer,
  type LogServerStats,
  type ServeLogOptions,
  serveLog,
} from './log-server.ts';
export { socketLog } from './socket-log.ts';
