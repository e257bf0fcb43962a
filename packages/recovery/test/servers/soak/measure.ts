import { getEventListeners } from 'node:events';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { queryObjects } from 'node:v8';
import type { Counts } from './faults.ts';

/** What is held when all requests are over. */
export interface Checkpoint {
  readonly requests: number;
  /** In bytes, after collection. */
  readonly heap: number;
  /** Listeners on the signal that all requests share. */
  readonly listeners: number;
  /** Streams and signals that are not collected. */
  readonly objects: number;
  /** Timers that keep the process alive. */
  readonly timers: number;
  /** Connections of the servers that are open, most of them idle. */
  readonly sockets: number;
  /** Responses that nobody has taken or given up. */
  readonly answering: number;
}

/** What each request makes some of. */
const COUNTED = [ReadableStream, AbortSignal, AbortController, Response];

const collect = (globalThis as { gc?: () => void }).gc;

/** Collects what is garbage, what finalizers release included. */
async function collectAll(): Promise<void> {
  for (let round = 0; round < 5; round++) {
    collect?.();
    await turn();
  }
}

/** Patience for the servers to see that connections were closed. */
const ROUNDS = 200;

/** Waits until nothing is under way any more, and counts what is left. */
export async function checkpoint(
  requests: number,
  shared: AbortSignal,
  queued: () => number,
  count: () => Promise<Counts>,
  settleMs: number,
): Promise<Checkpoint> {
  let counts = await count();
  for (let round = 0; round < ROUNDS && counts.answering + queued() > 0; round++) {
    await collectAll();
    await sleep(50);
    counts = await count();
  }
  await sleep(settleMs);
  await collectAll();
  const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  return {
    requests,
    heap: process.memoryUsage().heapUsed,
    listeners: getEventListeners(shared, 'abort').length,
    objects: COUNTED.reduce((sum, one) => sum + queryObjects(one, { format: 'count' }), 0),
    timers,
    sockets: counts.sockets,
    answering: counts.answering,
  };
}

/** The slope of the heap by the method of least squares, in bytes per request. */
export function slopeOf(points: readonly Checkpoint[]): number {
  const mean = (values: number[]): number =>
    values.reduce((sum, one) => sum + one, 0) / values.length;
  const x = mean(points.map(({ requests }) => requests));
  const y = mean(points.map((one) => one.heap));
  const over = points.reduce((sum, one) => sum + (one.requests - x) * (one.heap - y), 0);
  return over / points.reduce((sum, { requests }) => sum + (requests - x) ** 2, 0);
}
