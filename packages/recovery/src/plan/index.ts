export { type PlannedFunction, planOf, withPlan } from './annotation.ts';
export type { RecoverOptions, Recovery, RecoveryResult, RecoveryStats } from './contract.ts';
export { parsePlans } from './document.ts';
export {
  DegradedResultError,
  FailedResultError,
  PlanDocumentError,
  type PlanProblem,
  UnregisteredOperationError,
} from './errors.ts';
export { errorRecord, type HistoryQuery, RecoveryHistory, type RecoveryRecord } from './history.ts';
export type {
  PlanEnvironment,
  RecoveryEvent,
  RecoveryHandler,
  RecoveryHandlers,
  RecoveryPlan,
  RecoveryStrategy,
} from './plan.ts';
export {
  type Recoveries,
  type RecoveriesOptions,
  type RegisterOptions,
  recoveries,
} from './recoveries.ts';
export { recover } from './recovery.ts';
export type { Suggestion } from './tuning.ts';
