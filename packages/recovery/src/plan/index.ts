export { type PlannedFunction, planOf, withPlan } from './annotation.ts';
export { parsePlans } from './document.ts';
export {
  DegradedResultError,
  FailedResultError,
  PlanDocumentError,
  type PlanProblem,
  UnregisteredOperationError,
} from './errors.ts';
export type { Forecast } from './forecast.ts';
export type { HistoryQuery, RecoveryRecord } from './history.ts';
export type {
  PlanEnvironment,
  RecoveryEvent,
  RecoveryHandler,
  RecoveryHandlers,
  RecoveryPlan,
  RecoveryStrategy,
} from './plan.ts';
export { type Recoveries, type RecoveriesOptions, recoveries } from './recoveries.ts';
export {
  type RecoverOptions,
  type Recovery,
  type RecoveryResult,
  type RecoveryStats,
  recover,
} from './recovery.ts';
export type { Suggestion } from './tuning.ts';
