import { checkNumber, checkOneOf, checkType } from '@temper/core/policy';

const TRY_RESULTS = ['answered', 'failed', 'fatal', 'timeout', 'lost'] as const;

/**
 * How a try ended: with an answer (an error that is the caller's own mistake is one), with a failure that
 * may be tried again, with one that may not, by its timeout, or because another try had answered.
 */
export type TryResult = (typeof TRY_RESULTS)[number];

/** One try at the dependency. Times are in milliseconds. */
export interface RecordedTry {
  /** Number of the attempt, from 1, and of the hedge within it, from 1. */
  readonly attempt: number;
  readonly hedge: number;
  /** When it began, after the beginning of its call. */
  readonly atMs: number;
  readonly tookMs: number;
  readonly result: TryResult;
}

/** One call with all its tries. Times are in milliseconds. */
export interface RecordedCall {
  /** When it began, on the wall clock. */
  readonly at: number;
  readonly tookMs: number;
  /** Whether its caller got a result. */
  readonly ok: boolean;
  /** Whether a policy refused it before any try, as an open circuit does. */
  readonly refused: boolean;
  readonly tries: readonly RecordedTry[];
}

const DURATION = { min: 0, infinite: false };
const NUMBER = { min: 1, integer: true, infinite: false };

/**
 * Holds a call from elsewhere to its form.
 *
 * @throws {TypeError | RangeError} naming owner, field and value
 */
export function checkCall(owner: string, call: RecordedCall): RecordedCall {
  checkType(owner, 'call', call, 'object');
  checkNumber(owner, 'at', call.at, { infinite: false });
  checkNumber(owner, 'tookMs', call.tookMs, DURATION);
  checkType(owner, 'ok', call.ok, 'boolean');
  checkType(owner, 'refused', call.refused, 'boolean');
  if (!Array.isArray(call.tries)) throw new TypeError(`${owner}: tries must be an array.`);
  for (const one of call.tries as readonly RecordedTry[]) {
    checkType(owner, 'tries[]', one, 'object');
    checkNumber(owner, 'attempt', one.attempt, NUMBER);
    checkNumber(owner, 'hedge', one.hedge, NUMBER);
    checkNumber(owner, 'atMs', one.atMs, DURATION);
    checkNumber(owner, 'tookMs', one.tookMs, DURATION);
    checkOneOf(owner, 'result', one.result, TRY_RESULTS);
  }
  return call;
}
