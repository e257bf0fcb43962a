export {
  type AuditLog,
  type AuditLogStats,
  auditLog,
  type OpenReport,
  type SinkStats,
} from './audit-log.ts';
export {
  type AuditedCall,
  type AuditedOptions,
  type AuditedPolicy,
  type AuditedStats,
  audited,
} from './audited.ts';
export { canonicalize, type JsonObject, type JsonValue } from './canonical-json.ts';
export {
  type CheckpointBody,
  openCheckpoint,
  parseCheckpoint,
  signCheckpoint,
} from './checkpoint.ts';
export type { SignedCheckpoint } from './checkpointer.ts';
export type { AuditLimits } from './details.ts';
export {
  AuditClosedError,
  AuditCorruptError,
  type AuditErrorCode,
  AuditForkedError,
  AuditLockedError,
  AuditUnavailableError,
  type SinkFailure,
} from './errors.ts';
export type { AuditActor, AuditError, AuditEvent, AuditEventInput } from './event.ts';
export type { CloudEventsOptions } from './export/cloudevents.ts';
export {
  EXPORT_FORMATS,
  type ExportFormat,
  type ExportOptions,
  exportEvents,
} from './export/export-events.ts';
export type { OcsfOptions } from './export/ocsf.ts';
export type { FilterQuery, OneOrMore } from './filter.ts';
export { type ChainHead, checkLine, GENESIS_HASH, type SealedEvent } from './hash-chain.ts';
export {
  AUDIT_DEFAULTS,
  type AuditLogOptions,
  CHECKPOINT_DEFAULTS,
  type CheckpointOptions,
  DEFAULT_LIMITS,
} from './options.ts';
export {
  type ConsistencyProof,
  checkConsistency,
  checkInclusion,
  type InclusionProof,
  proveConsistency,
  proveInclusion,
} from './proofs.ts';
export { type AuditPage, type AuditQuery, queryPage, streamEvents } from './query.ts';
export {
  defaultRedactionRules,
  keyedHash,
  type RedactionAction,
  type RedactionOptions,
  type RedactionRule,
} from './redaction.ts';
export type { SinkRule } from './rule.ts';
export { AUDIT_METRICS, EVENT_OUTCOMES, type EventOutcome } from './semconv.ts';
export {
  generateSigningKey,
  keyIdOf,
  type NoteSigner,
  noteSigner,
  type SigningKeyPair,
} from './signing-key.ts';
export type {
  Anchor,
  AuditSink,
  AuditSource,
  LineFilter,
  ReadRange,
  SinkNews,
  SinkRecovery,
  SinkState,
  StoredCheckpoint,
} from './sink.ts';
export { FILE_SINK_DEFAULTS, type FileSinkOptions, fileSink } from './sinks/file/file-sink.ts';
export { FileSource } from './sinks/file/file-source.ts';
export { MEMORY_SINK_DEFAULTS, type MemorySinkOptions, memorySink } from './sinks/memory.ts';
export { type OtelLogsSinkOptions, otelLogsSink } from './sinks/otel-logs.ts';
export {
  POSTGRES_SINK_DEFAULTS,
  type PostgresSinkOptions,
  postgresSink,
} from './sinks/postgres.ts';
export type { PostgresClient, PostgresPool, PostgresResult } from './sinks/postgres-client.ts';
export { PostgresSource, postgresWriters } from './sinks/postgres-source.ts';
export {
  SQLITE_SINK_DEFAULTS,
  type SqliteIndex,
  type SqliteSinkOptions,
  sqliteSink,
} from './sinks/sqlite.ts';
export { SqliteSource } from './sinks/sqlite-source.ts';
export {
  type VerifyOptions,
  type VerifyProblem,
  type VerifyProblemKind,
  type VerifyReport,
  verifyLog,
} from './verify.ts';
export type { CheckpointCounts } from './verify-checkpoints.ts';
