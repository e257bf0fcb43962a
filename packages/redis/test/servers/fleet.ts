import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { RuleKind } from '@temper/ratelimit/shared';

/** What a worker does. */
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

/** What a worker reports. */
export interface WorkerReport {
  /** When each turn came, in milliseconds since the epoch. */
  readonly released: readonly number[];
  /** Each turn's place in the server's schedule, in microseconds of its clock; none for a window. */
  readonly places: readonly number[];
  /** Longest time by which a turn came later than the server meant. */
  readonly latenessMs: number;
  readonly storeErrors: number;
  readonly got: number;
}

/** Runs several processes at the same time. */
export function runFleet(processes: number, orders: WorkerOrders): Promise<WorkerReport[]> {
  return runProcesses('fleet-worker.ts', new Array<WorkerOrders>(processes).fill(orders));
}

/** Runs a process for each of these orders, which begin together. */
export async function runProcesses<Report>(
  program: string,
  orders: readonly object[],
): Promise<Report[]> {
  const workers = orders.map((each) =>
    fork(join(import.meta.dirname, program), [JSON.stringify(each)], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    }),
  );
  try {
    await Promise.all(workers.map((worker) => next(worker)));
    const reports = workers.map((worker) => next(worker) as Promise<Report>);
    for (const worker of workers) worker.send('go');
    return await Promise.all(reports);
  } finally {
    for (const worker of workers) worker.kill('SIGKILL');
  }
}

async function next(worker: ChildProcess): Promise<unknown> {
  const exit = once(worker, 'exit').then(([code]) => {
    throw new Error(`A worker exited with ${code}.`);
  });
  exit.catch(() => undefined);
  const [message] = (await Promise.race([once(worker, 'message'), exit])) as [unknown];
  return message;
}

/** Most events in any span of this many milliseconds. */
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

/** What callers could have had between two moments: of their calls, second by second, as many as a limit allows. */
export function wanted(
  calls: readonly number[],
  from: number,
  to: number,
  perSecond: number,
): number {
  let sum = 0;
  for (let at = from; at < to; at += 1000) {
    const end = Math.min(to, at + 1000);
    const asked = calls.filter((call) => call >= at && call < end).length;
    sum += Math.min(asked, (perSecond * (end - at)) / 1000);
  }
  return sum;
}
