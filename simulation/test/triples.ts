import type { KindName } from './kinds.ts';

/** Orders of three and more policies that make sense, outermost first. The last one is that of the README. */
export const TRIPLES: readonly (readonly KindName[])[] = [
  ['timeout', 'retry', 'breaker'],
  ['retry', 'breaker', 'timeout'],
  ['retry', 'rateBreaker', 'timeout'],
  ['breaker', 'retry', 'timeout'],
  ['timeout', 'retryBudget', 'rateBreaker'],
  ['concurrency', 'retry', 'breaker'],
  ['tokenBucket', 'retry', 'breaker'],
  ['allOf', 'retry', 'breaker'],
  ['sharedRate', 'retry', 'fleetBreaker'],
  ['adaptive', 'retry', 'timeout'],
  ['adaptive', 'breaker', 'timeout'],
  ['throttle', 'retry', 'timeout'],
  ['throttle', 'retryBudget', 'timeout'],
  ['timeout', 'hedge', 'breaker'],
  ['hedge', 'breaker', 'timeout'],
  ['retryBudget', 'hedge', 'breaker'],
  ['fallback', 'retry', 'breaker'],
  ['fallback', 'cached', 'retry'],
  ['singleFlight', 'retry', 'breaker'],
  ['cached', 'retry', 'slowBreaker'],
  ['fallback', 'timeout', 'retry', 'breaker'],
  ['concurrency', 'retry', 'breaker', 'observedTimeout'],
];
