export type { Bulkhead, BulkheadStats, KeyShare } from './bulkhead.ts';
export {
  type ErrorKind,
  type ErrorRow,
  type ErrorTable,
  errorTable,
  type Verdict,
} from './error-table.ts';
export type {
  Degradation,
  Guarded,
  OperationEvent,
  OperationOptions,
  OperationStatus,
} from './guarded-operation.ts';
export { harden } from './harden.ts';
export type {
  CheckDefinition,
  GuardedOperation,
  Hardened,
  HardenedRecoveries,
  HardenedStats,
  HardenOptions,
} from './harden-options.ts';
export {
  type AnyOperation,
  type ArgumentsOf,
  type BreakerOptions,
  type BulkheadOptions,
  type DegradedAnswer,
  type FailedCall,
  type LimiterOptions,
  type OperationDefinition,
  type OperationOf,
  operation,
  type PlanOptions,
  type PortContext,
  type RememberOptions,
  type ResultOf,
  type RetryRule,
} from './operation.ts';
export { ERROR_TABLES, OPERATIONS, type OperationName } from './parsercraft/error-tables.ts';
export type {
  AstSubsystem,
  LspSubsystem,
  ProtocolSubsystem,
  RegistrySubsystem,
  Subsystems,
} from './parsercraft/ports.ts';
export {
  type HardeningOptions,
  type HardeningPolicies,
  type ParserCraftHardening,
  type ParserCraftOperations,
  PIPELINE_PARTS,
  type PipelineParts,
  parserCraftHardening,
} from './parsercraft/preset.ts';
export {
  type BreakerSetting,
  type BulkheadSetting,
  HARDENING_DEFAULTS,
  type HardeningOverrides,
  type HardeningRuntime,
  type HardeningSettings,
  type LimiterSetting,
  type PlanSetting,
  resolveSettings,
} from './parsercraft/settings.ts';
export { parseSettings, readSettings, SettingsFileError } from './parsercraft/settings-file.ts';
export type { HardenedPolicies, PolicyStats } from './policies.ts';
