/**
 * How the handlers of a phase run: the last registered first, one after the other; the first first;
 * or all at once.
 */
export type HandlerOrder = 'lifo' | 'fifo' | 'parallel';

/** Every {@link HandlerOrder}. */
export const HANDLER_ORDERS: readonly HandlerOrder[] = ['lifo', 'fifo', 'parallel'];

/** What became of a handler. */
export type HandlerOutcome =
  /** It returned, or its promise resolved. */
  | 'completed'
  /** It threw, or its promise rejected. */
  | 'failed'
  /** It did not settle in its time. */
  | 'timed_out'
  /** It was not started, as there was no time left. */
  | 'skipped';

/** Every {@link HandlerOutcome}. */
export const HANDLER_OUTCOMES: readonly HandlerOutcome[] = [
  'completed',
  'failed',
  'timed_out',
  'skipped',
];

/** How a shutdown as a whole went. */
export type ShutdownOutcome = 'completed' | 'failed' | 'timed_out' | 'forced';

/** Every {@link ShutdownOutcome}, from best to worst. */
export const SHUTDOWN_OUTCOMES: readonly ShutdownOutcome[] = [
  'completed',
  'failed',
  'timed_out',
  'forced',
];

/** The handlers to start next, and those that wait for them. */
export function nextBatch<H>(
  order: HandlerOrder,
  waiting: readonly H[],
): { readonly batch: readonly H[]; readonly rest: readonly H[] } {
  if (order === 'parallel') return { batch: [...waiting], rest: [] };
  return order === 'lifo'
    ? { batch: waiting.slice(-1), rest: waiting.slice(0, -1) }
    : { batch: waiting.slice(0, 1), rest: waiting.slice(1) };
}

/**
 * How long something may take, in milliseconds: what it was given, and no longer than any deadline
 * around it leaves. Never negative.
 */
export function timeLeft(ownMs: number, now: number, ...deadlines: readonly number[]): number {
  return Math.max(0, Math.min(ownMs, ...deadlines.map((deadline) => deadline - now)));
}

/** Takes what became of the handlers together. */
export function overallOutcome(
  handlers: readonly HandlerOutcome[],
  forced: boolean,
): ShutdownOutcome {
  if (forced) return 'forced';
  if (handlers.includes('timed_out') || handlers.includes('skipped')) return 'timed_out';
  return handlers.includes('failed') ? 'failed' : 'completed';
}
