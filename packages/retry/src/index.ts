export { type BackoffOptions, backoffDelay } from './backoff.ts';
export {
  type ObservableRetryBudget,
  type RetryBudget,
  type RetryBudgetOptions,
  retryBudget,
} from './budget.ts';
export { type GiveUpReason, RetryExhaustedError } from './errors.ts';
export {
  type AttemptOutcome,
  type Backoff,
  type Jitter,
  RETRY_DEFAULTS,
  type RetryEvent,
  type RetryOptions,
} from './options.ts';
export { type RetryPolicy, type RetryStats, retry } from './retry.ts';
export { type OperationOutcome, RETRY_METRICS, RETRY_SPANS } from './semconv.ts';
