/**
 * Order of the handlers of a phase. `lifo`: one after the other, last registered first. `fifo`: one
 * after the other, first registered first. `parallel`: all at the same time.
 */
export type HandlerOrder = 'lifo' | 'fifo' | 'parallel';

/** Every {@link HandlerOrder}. */
export const HANDLER_ORDERS: readonly HandlerOrder[] = ['lifo', 'fifo', 'parallel'];

/** Outcome of a handler. */
export type HandlerOutcome =
  /** It returned, or its promise resolved. */
  | 'completed'
  /** It threw, or its promise rejected. */
  | 'failed'
  /** It did not settle within its time limit. */
  | 'timed_out'
  /** It was not started, because no time was left. */
  | 'skipped';

/** Every {@link HandlerOutcome}. */
export const HANDLER_OUTCOMES: readonly HandlerOutcome[] = [
  'completed',
  'failed',
  'timed_out',
  'skipped',
];

/** Outcome of a shutdown. */
export type ShutdownOutcome = 'completed' | 'failed' | 'timed_out' | 'forced';

/** Every {@link ShutdownOutcome}, from best to worst. */
export const SHUTDOWN_OUTCOMES: readonly ShutdownOutcome[] = [
  'completed',
  'failed',
  'timed_out',
  'forced',
];

/** Splits the waiting handlers into those to start now and the rest. */
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
 * The remaining time in milliseconds: `ownMs`, limited by every enclosing deadline. Never negative.
 */
export function timeLeft(ownMs: number, now: number, ...deadlines: readonly number[]): number {
  return Math.max(0, Math.min(ownMs, ...deadlines.map((deadline) => deadline - now)));
}

/** Derives the outcome of the shutdown from the outcomes of its handlers. */
export function overallOutcome(
  handlers: readonly HandlerOutcome[],
  forced: boolean,
): ShutdownOutcome {
  if (forced) return 'forced';
  if (handlers.includes('timed_out') || handlers.includes('skipped')) return 'timed_out';
  return handlers.includes('failed') ? 'failed' : 'completed';
}
