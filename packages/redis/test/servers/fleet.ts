import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { RuleKind } from '@temper/ratelimit';

/** What a worker is to do. */
export interface WorkerOrders {
  readonly kind: string;
  readonly port: number;
  readonly acquires: number;
  readonly atATime: number;
  readonly rule: {
    readonly algorithm: RuleKind;
    readonly limit: number;
    readonly windowMs: number;
    readonly burst?: number;
  };
}

/** What came of it. */
export interface WorkerReport {
  /** When each turn came, in milliseconds since the epoch. */
  readonly released: readonly number[];
  /** Each turn's place in the server's schedule, in microseconds of its clock; none for a window. */
  readonly places: readonly number[];
  /** How much later than the server meant it a turn came, at most. */
  readonly latenessMs: number;
  readonly storeErrors: number;
  readonly got: number;
}

/** Runs so many processes at once. */
export async function runFleet(processes: number, orders: WorkerOrders): Promise<WorkerReport[]> {
  const workers = Array.from({ length: processes }, () =>
    fork(join(import.meta.dirname, 'fleet-worker.ts'), [JSON.stringify(orders)], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    }),
  );
  try {
    await Promise.all(workers.map((worker) => next(worker)));
    const reports = workers.map((worker) => next(worker) as Promise<WorkerReport>);
    for (const worker of workers) worker.send('go');
    return await Promise.all(reports);
  } finally {
    for (const worker of workers) worker.kill('SIGKILL');
  }
}

async function next(worker: ChildProcess): Promise<unknown> {
  const exit = once(worker, 'exit').then(([code]) => {
    throw new Error(`A worker has ended with ${code}.`);
  });
  exit.catch(() => undefined);
  const [message] = (await Promise.race([once(worker, 'message'), exit])) as [unknown];
  return message;
}

/** Most events in any span of so many milliseconds, wherever it begins. */
export function mostWithin(times: readonly number[], spanMs: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  let most = 0;
  let from = 0;
  for (const [to, at] of sorted.entries()) {
    while (at - sorted[from]! >= spanMs) from++;
    most = Math.max(most, to - from + 1);
  }
  return most;
}
