import { show } from '@temper/core/policy';
import type { PermitResult, TakeAnswer, TakeCall, TakeResult } from './store.ts';

/** Longest time in a reply, in milliseconds, and most units or permits. */
const MAX = Number.MAX_SAFE_INTEGER;

/** How much longer than allowed a wait may be, in milliseconds: stores count in units of their own. */
export const ROUNDING_MS = 1;

/**
 * Reads the reply of a store to a request for units. Every value is read once and checked: a reply
 * decides whether calls pass and when the store is asked again.
 *
 * @throws {TypeError} unless it is one answer per call, of the right shape and in range
 */
export function readTake(reply: unknown, calls: readonly TakeCall[]): TakeResult {
  const { answers, remaining, resetMs } = fieldsOf('take', reply);
  if (!Array.isArray(answers) || answers.length !== calls.length) {
    throw new TypeError('The store must return one answer per call.');
  }
  return {
    answers: calls.map((call, i) => readAnswer(answers[i], call)),
    remaining: numberIn('remaining', remaining),
    resetMs: numberIn('resetMs', resetMs),
  };
}

function readAnswer(answer: unknown, { maxWaitMs }: TakeCall): TakeAnswer {
  const { taken, waitMs, receipt, retryAfterMs } = fieldsOf('take', answer);
  if (!booleanOf('taken', taken)) {
    return { taken: false, retryAfterMs: numberIn('retryAfterMs', retryAfterMs) };
  }
  if (typeof receipt !== 'string') throw wrong('receipt', 'a string', receipt);
  return { taken: true, waitMs: numberIn('waitMs', waitMs, maxWaitMs + ROUNDING_MS), receipt };
}

/**
 * Reads the reply of a store to a request for permits.
 *
 * @throws {TypeError} unless it is of the right shape and in range
 */
export function readPermits(reply: unknown): PermitResult {
  const { granted, inUse, expiryMs } = fieldsOf('takePermits', reply);
  return {
    granted: booleanOf('granted', granted),
    inUse: numberIn('inUse', inUse),
    expiryMs: numberIn('expiryMs', expiryMs),
  };
}

/**
 * Reads the number of processes that a store has counted, this one included.
 *
 * @throws {TypeError} unless it is a number in range
 */
export function readNodes(reply: unknown): number {
  return Math.max(1, Math.floor(numberIn('number of processes', reply)));
}

function fieldsOf(method: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw wrong(`reply to ${method}`, 'made of objects', value);
}

function booleanOf(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw wrong(name, 'a boolean', value);
}

function numberIn(name: string, value: unknown, max: number = MAX): number {
  const most = Math.min(max, MAX);
  if (typeof value === 'number' && value >= 0 && value <= most) return value;
  throw wrong(name, `a number from 0 to ${most}`, value);
}

function wrong(name: string, must: string, value: unknown): TypeError {
  return new TypeError(`The store's ${name} must be ${must}, got ${show(value)}.`);
}
