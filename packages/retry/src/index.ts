export { type RetryDetails, retryDetails } from '@temper/core/policy';
export {
  type ObservableRetryBudget,
  type RetryBudgetOptions,
  retryBudget,
} from './budget.ts';
export { type GiveUpReason, RetryExhaustedError } from './errors.ts';
export type {
  Backoff,
  GaveUp,
  Jitter,
  RetryBudget,
  RetryEvent,
  RetryOptions,
  RetryWait,
} from './options.ts';
export { type RetryPolicy, type RetryStats, retry } from './retry.ts';
