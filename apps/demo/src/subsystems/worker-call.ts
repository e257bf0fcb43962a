import { isCall } from '@temper/core/policy';
import type { PortContext } from '@temper/parsercraft-handlers';
import type { RunOptions } from '../workers/pool.ts';

/** How a job belongs to a guarded call: its signal, and its wait for a worker as a wait of our own. */
export function workerCall(context: PortContext): RunOptions {
  const { signal } = context;
  return isCall(context)
    ? { signal, awaitTurn: (turn) => context.awaitCapacity(turn) }
    : { signal };
}
