export { type AuditedOptions, type AuditedPolicy, audited } from './audited.ts';
export type { AuditActor, AuditEvent, AuditEventInput } from './chain/event.ts';
export { generateSigningKey, keyIdOf, type NoteSigner, noteSigner } from './chain/signing-key.ts';
export {
  AuditClosedError,
  AuditCorruptError,
  AuditForkedError,
  AuditLockedError,
  AuditLossError,
  AuditUnavailableError,
} from './errors.ts';
export type { AuditLog, AuditLogStats, AuditWriter, AuditWriterStats } from './log/audit-log.ts';
export { auditLog } from './log/durable-log.ts';
export { type HashContext, keyedHash } from './log/intake/redaction.ts';
export { defaultRedactionRules, type RedactionRule } from './log/intake/redaction-rules.ts';
export { type MigrationReport, migrateLog } from './log/migrate.ts';
export type { AuditLogOptions } from './log/options.ts';
export type { ExportOptions } from './read/export/export-events.ts';
export type { AuditPage, AuditQuery } from './read/query.ts';
export type { VerifyOptions, VerifyReport } from './read/verify-report.ts';
