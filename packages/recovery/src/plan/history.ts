import { checkNumber, errorType, messageOf } from '@temper/core';
import type { RecoveryOutcomeName } from '../semconv.ts';

/** One execution, as the history keeps it. Plain data. */
export interface RecoveryRecord {
  /** Counted from 1, never reused. */
  readonly sequence: number;
  readonly operation: string;
  /** The plan's strategies, joined by '+'; 'none' without a plan. */
  readonly strategy: string;
  readonly outcome: RecoveryOutcomeName;
  /** What saved it. */
  readonly recoveredBy: 'retry' | 'fallback' | undefined;
  /** How often the operation was called. */
  readonly attempts: number;
  /** Wall-clock time at which it began, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** How long it took, in milliseconds. */
  readonly elapsedMs: number;
  /** What the operation failed with for good, even where a fallback answered; in words, not by reference. */
  readonly error: { readonly type: string; readonly message: string } | undefined;
}

/** Which records are asked for. Every condition given must hold. */
export interface HistoryQuery {
  readonly operation?: string;
  readonly strategy?: string;
  readonly outcome?: RecoveryOutcomeName | readonly RecoveryOutcomeName[];
  /** Begun at this wall-clock time or later, in milliseconds since the epoch. */
  readonly since?: number;
  /** Only records after this sequence. */
  readonly after?: number;
  /** Most records: the latest ones. 0 returns none. @defaultValue all that are kept */
  readonly limit?: number;
}

/** Longest message that the history keeps. */
const MAX_MESSAGE = 500;

/** An error as a record keeps it: words only, so that the history holds nothing alive. */
export function inWords(error: unknown): RecoveryRecord['error'] {
  if (error === undefined) return undefined;
  return { type: errorType(error), message: messageOf(error).slice(0, MAX_MESSAGE) };
}

/** The last executions, of bounded number: a ring, so that keeping one more costs the same for ever. */
export class RecoveryHistory {
  readonly #size: number;
  readonly #ring: (RecoveryRecord | undefined)[];
  #sequence = 0;

  /** @param size - most records kept; 0 keeps none */
  constructor(size: number) {
    this.#size = size;
    this.#ring = [];
  }

  add(record: Omit<RecoveryRecord, 'sequence'>): void {
    this.#sequence++;
    if (this.#size === 0) return;
    this.#ring[(this.#sequence - 1) % this.#size] = { sequence: this.#sequence, ...record };
  }

  /**
   * Records in order of their end, the oldest first.
   *
   * @throws {RangeError} when `limit` is negative or no integer
   */
  query(query: HistoryQuery = {}): readonly RecoveryRecord[] {
    const limit = query.limit ?? Number.POSITIVE_INFINITY;
    checkNumber('history', 'limit', limit, { min: 0, integer: true });
    const found: RecoveryRecord[] = [];
    const kept = this.#ring.length;
    for (let back = 0; back < kept && found.length < limit; back++) {
      const sequence = this.#sequence - back;
      const record = this.#ring[(sequence - 1) % this.#size];
      if (record !== undefined && matches(record, query)) found.push(record);
    }
    return found.reverse();
  }
}

function matches(record: RecoveryRecord, query: HistoryQuery): boolean {
  const { operation, strategy, outcome, since, after } = query;
  const outcomes: readonly string[] | undefined =
    outcome === undefined || Array.isArray(outcome) ? outcome : [outcome as string];
  return (
    (operation === undefined || record.operation === operation) &&
    (strategy === undefined || record.strategy === strategy) &&
    (outcomes === undefined || outcomes.includes(record.outcome)) &&
    (since === undefined || record.startedAt >= since) &&
    (after === undefined || record.sequence > after)
  );
}
