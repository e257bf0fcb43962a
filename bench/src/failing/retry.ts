import { retry } from '@temper/retry';
import asyncRetry from 'async-retry';
import * as cockatiel from 'cockatiel';
import { backOff } from 'exponential-backoff';
import pRetry from 'p-retry';
import { atOnce, caught, failWith, mistaken, refused } from '../rejection.ts';
import type { Bench } from '../types.ts';

const CALLS = 2000;
const WAIT_MS = 1;

const isTransient = (error: unknown): boolean =>
  (error as { code?: unknown }).code === 'ECONNREFUSED';

/** Minimal retry with three attempts and equal waits. */
async function floor<T>(operation: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await operation();
    } catch (error) {
      if (attempt >= 3 || !isTransient(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    }
  }
}

const policy = retry({
  name: 'failing',
  initialDelayMs: WAIT_MS,
  maxDelayMs: WAIT_MS,
  jitter: 'none',
  // As the others, which have no budget: with one, most of the calls would fail at their first attempt.
  maxExtraLoad: Number.POSITIVE_INFINITY,
});
const peer = cockatiel.retry(cockatiel.handleWhen(isTransient), {
  maxAttempts: 2,
  backoff: new cockatiel.ConstantBackoff(WAIT_MS),
});
const waits = { retries: 2, minTimeout: WAIT_MS, maxTimeout: WAIT_MS, factor: 1 };

/** All implementations with the same three attempts and waits of one millisecond. */
const implementations: Readonly<Record<string, (work: () => Promise<number>) => Promise<number>>> =
  {
    floor,
    temper: (work) => policy.execute(work),
    cockatiel: (work) => peer.execute(work),
    'p-retry': (work) => pRetry(work, { ...waits, shouldRetry: ({ error }) => isTransient(error) }),
    'async-retry': (work) =>
      asyncRetry(
        async (bail) => {
          try {
            return await work();
          } catch (error) {
            if (isTransient(error)) throw error;
            bail(error as Error);
            return 0;
          }
        },
        { ...waits, randomize: false },
      ),
    'exponential-backoff': (work) =>
      backOff(work, {
        numOfAttempts: 3,
        startingDelay: WAIT_MS,
        maxDelay: WAIT_MS,
        timeMultiple: 1,
        retry: isTransient,
      }),
  };

/** Fails twice, then succeeds. */
function thirdTime(): () => Promise<number> {
  let attempts = 0;
  return async () => {
    if (++attempts < 3) throw refused;
    return attempts;
  };
}

const names = Object.keys(implementations);
const run = (name: string) => implementations[name] as (typeof implementations)[string];

/** Every attempt fails. */
export const exhausted: readonly Bench[] = names.map((name) => ({
  group: 'retry: three attempts fail, waits of 1 ms, 2 000 calls at once',
  name,
  floor: name === 'floor',
  ...(name === 'temper' && { aim: 1, against: 'cockatiel' }),
  operations: CALLS,
  fn: atOnce(CALLS, () => run(name)(failWith(refused))),
}));

/** The last attempt succeeds. */
export const recovered: readonly Bench[] = names.map((name) => ({
  group: 'retry: the third attempt succeeds, waits of 1 ms, 2 000 calls at once',
  name,
  floor: name === 'floor',
  ...(name === 'temper' && { aim: 1, against: 'cockatiel' }),
  operations: CALLS,
  fn: atOnce(CALLS, () => run(name)(thirdTime())),
}));

/** The first error ends the call. */
export const notRetryable: readonly Bench[] = names.map((name) => ({
  group: 'retry: the error is not worth another attempt',
  name,
  floor: name === 'floor',
  ...(name === 'temper' && { aim: 1, against: 'cockatiel' }),
  fn: caught(() => run(name)(failWith(mistaken))),
}));
