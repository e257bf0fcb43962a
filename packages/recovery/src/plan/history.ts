import { checkKnown, checkNumber, errorType, messageOf } from '@temper/core/policy';
import type { RecoveryOutcomeName } from '../semconv.ts';

/** One execution in the history. Plain data. */
export interface RecoveryRecord {
  /** Counted from 1, never reused. */
  readonly sequence: number;
  readonly operation: string;
  /** The plan's strategies, joined by '+'; 'none' without a plan. */
  readonly strategy: string;
  readonly outcome: RecoveryOutcomeName;
  /** The strategy that recovered it. */
  readonly recoveredBy: 'retry' | 'fallback' | undefined;
  /** How often the operation was called. */
  readonly attempts: number;
  /** Wall-clock time at which it began, in milliseconds since the epoch. */
  readonly startedAt: number;
  /** How long it took, in milliseconds. */
  readonly elapsedMs: number;
  /** What the operation failed with after all calls, even where a fallback answered; bounded and scrubbed. */
  readonly error: { readonly type: string; readonly message: string } | undefined;
}

/** Selects records: those that meet every condition given. Unknown keys are refused. */
export interface HistoryQuery {
  readonly operation?: string;
  readonly strategy?: string;
  readonly outcome?: RecoveryOutcomeName | readonly RecoveryOutcomeName[];
  /** Begun at this wall-clock time or later, in milliseconds since the epoch. */
  readonly since?: number;
  /** Only records after this sequence. */
  readonly after?: number;
  /** Most records, of which the latest are returned; 0 returns none. @defaultValue all that are kept */
  readonly limit?: number;
}

/** Longest message in a record, in UTF-16 code units. */
const MAX_MESSAGE = 500;

const QUERY_FIELDS: readonly (keyof HistoryQuery)[] = [
  'operation',
  'strategy',
  'outcome',
  'since',
  'after',
  'limit',
];

/** An error as text, for a {@link RecoveryRecord}, so that a history retains no objects. */
export function errorRecord(error: unknown): RecoveryRecord['error'] {
  if (error === undefined) return undefined;
  return { type: errorType(error), message: messageOf(error, MAX_MESSAGE) };
}

/** The latest executions, in a ring buffer of bounded size, for whoever runs operations by other means than plans. */
export class RecoveryHistory {
  readonly #size: number;
  readonly #ring: (RecoveryRecord | undefined)[];
  #sequence = 0;

  /** @param size - most records kept; 0 keeps none */
  constructor(size: number) {
    this.#size = size;
    this.#ring = [];
  }

  /** Adds an execution that has ended, which gets the next sequence. */
  add(record: Omit<RecoveryRecord, 'sequence'>): void {
    this.#sequence++;
    if (this.#size === 0) return;
    this.#ring[(this.#sequence - 1) % this.#size] = { sequence: this.#sequence, ...record };
  }

  /**
   * Matching records in order of their end, the oldest first.
   *
   * @throws {TypeError} when the query is no object, or has an unknown key
   * @throws {RangeError} when `limit` is negative or no integer
   */
  query(query: HistoryQuery = {}): readonly RecoveryRecord[] {
    checkKnown('history', query, QUERY_FIELDS);
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
