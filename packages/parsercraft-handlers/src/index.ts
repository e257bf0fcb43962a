export type { Bulkhead, BulkheadStats, KeyShare } from './bulkhead.ts';
export {
  ERROR_TABLES,
  type ErrorKind,
  isCallersFault,
  isWorthRetrying,
  kindOf,
  OPERATIONS,
  type OperationName,
  type Verdict,
  verdictOf,
} from './error-tables.ts';
export type {
  Degradation,
  Guarded,
  OperationEvent,
  OperationOptions,
  OperationStatus,
} from './guarded-operation.ts';
export {
  type HardeningOptions,
  type ParserCraftHardening,
  parserCraftHardening,
} from './hardening.ts';
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
} from './options.ts';
export { type HardeningPolicies, PIPELINE_PARTS, type PipelineParts } from './pipelines.ts';
export type {
  AstSubsystem,
  LspSubsystem,
  PortContext,
  ProtocolSubsystem,
  RegistrySubsystem,
  Subsystems,
} from './ports.ts';
export { parseSettings, readSettings, SettingsFileError } from './settings-file.ts';
