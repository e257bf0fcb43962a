import { type Clock, systemClock } from '@temper/core';
import { isCall } from '@temper/core/policy';
import type { PortContext } from '@temper/parsercraft-handlers';
import { RateLimitExceededError } from '@temper/ratelimit';
import type { RunOptions } from '../workers/pool.ts';

/**
 * Time that a call needs to have left for a job to begin, in milliseconds. A job that ends with its call
 * takes its worker along, and a client with a long queue has only such calls.
 */
const USEFUL_MS = 1_000;

/** How a job belongs to a guarded call: its signal, its client, and its wait for a worker as a wait of our own. */
export function workerCall(context: PortContext, clock: Clock = systemClock): RunOptions {
  const { signal, key: client, deadline = Number.POSITIVE_INFINITY } = context;
  if (!isCall(context)) return { signal };
  return {
    signal,
    client,
    awaitTurn: (turn) =>
      context.awaitCapacity(async () => {
        if (deadline - clock.monotonic() >= USEFUL_MS) return await turn();
        const [limit, remaining, cost, retryAfterMs] = [0, 0, 1, USEFUL_MS];
        const refusal = { reason: 'deadline', limit, remaining, cost, retryAfterMs } as const;
        throw new RateLimitExceededError('workers', refusal);
      }),
  };
}
