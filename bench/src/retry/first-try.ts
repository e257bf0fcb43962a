import { retry, retryBudget } from '@temper/retry';
import asyncRetry from 'async-retry';
import * as cockatiel from 'cockatiel';
import { Effect, Schedule } from 'effect';
import { backOff } from 'exponential-backoff';
import pRetry from 'p-retry';
import { answer, retryFloor } from '../retry-floor.ts';
import type { Bench } from '../types.ts';

const group = 'retry, first try succeeds';

const plain = retry({ name: 'plain' });
const timed = retry({ name: 'timed', attemptTimeoutMs: 5000 });
const budgeted = retry({ name: 'budgeted', budget: retryBudget() });
const wrapped = plain.wrap(answer);
const signal = new AbortController().signal;

const cockatielRetry = cockatiel.retry(cockatiel.handleAll, {
  maxAttempts: 2,
  backoff: new cockatiel.ExponentialBackoff({ initialDelay: 100 }),
});
const effect = Effect.retry(
  Effect.tryPromise(() => answer()),
  { schedule: Schedule.exponential('100 millis'), times: 2 },
);

export const retryRows: readonly Bench[] = [
  { group, name: 'floor', floor: true, fn: () => retryFloor(answer) },
  { group, name: 'temper', aim: 1.15, fn: () => plain.execute(answer) },
  { group, name: 'temper, wrapped', fn: () => wrapped() },
  { group, name: 'temper, with a signal', fn: () => plain.execute(answer, { signal }) },
  { group, name: 'temper, attempt timeout', fn: () => timed.execute(answer) },
  { group, name: 'temper, budget', fn: () => budgeted.execute(answer) },
  { group, name: 'cockatiel', fn: () => cockatielRetry.execute(answer) },
  { group, name: 'p-retry', fn: () => pRetry(answer, { retries: 2, minTimeout: 100 }) },
  { group, name: 'async-retry', fn: () => asyncRetry(answer, { retries: 2, minTimeout: 100 }) },
  { group, name: 'Effect', fn: () => Effect.runPromise(effect) },
  {
    group,
    name: 'exponential-backoff',
    fn: () => backOff(answer, { numOfAttempts: 3, startingDelay: 100 }),
  },
];
