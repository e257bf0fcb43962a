import type { OperationEvent, OperationName, OperationStatus } from '@temper/parsercraft-handlers';
import { percentile, wasRejected } from '../load/tally.ts';

/** Counts of one operation over one second, and its latency over the last ten. */
interface OperationSecond {
  readonly calls: number;
  /** Calls by {@link shownStatus}. A rejected call with a degraded answer counts as both. */
  readonly successes: number;
  readonly degraded: number;
  readonly rejections: number;
  readonly failures: number;
  readonly attempts: number;
  readonly p50Ms: number | undefined;
  readonly p90Ms: number | undefined;
  readonly p99Ms: number | undefined;
}

/** Seconds that the percentiles are computed from: in one there may be too few calls for a p99. */
const LATENCY_SECONDS = 10;
/** Maximum number of durations per second that the percentiles are computed from. */
const MAX_DURATIONS = 1_000;

/** The outcome of an operation as the page counts it. A mistake of the caller was answered: nothing failed. */
export function shownStatus({ status, isCallersFault }: OperationEvent): OperationStatus {
  return isCallersFault === true ? 'success' : status;
}

class Second {
  calls = 0;
  successes = 0;
  degraded = 0;
  rejections = 0;
  failures = 0;
  attempts = 0;
  readonly durations: number[] = [];

  add(event: OperationEvent): void {
    this.calls += 1;
    this.attempts += event.attempts;
    if (this.durations.length < MAX_DURATIONS) this.durations.push(event.durationMs);
    const status = shownStatus(event);
    if (status === 'success') this.successes += 1;
    else if (status === 'degraded') this.degraded += 1;
    else if (!wasRejected(event)) this.failures += 1;
    if (wasRejected(event)) this.rejections += 1;
  }

  get counts(): Omit<OperationSecond, 'p50Ms' | 'p90Ms' | 'p99Ms'> {
    const { durations: _, ...counts } = this;
    return counts;
  }
}

/** Totals since startup, by operation and status. */
type OperationTotals = Readonly<
  Partial<Record<OperationName, Readonly<Partial<Record<OperationStatus, number>>>>>
>;

/** Aggregates operations per second. */
export class OperationMeter {
  #seconds = new Map<OperationName, Second>();
  /** Durations by operation, of the seconds before, the newest last. */
  readonly #durations = new Map<OperationName, number[][]>();
  readonly #totals = new Map<OperationName, Map<OperationStatus, number>>();

  add(event: OperationEvent<OperationName>): void {
    let totals = this.#totals.get(event.operation);
    if (totals === undefined) {
      totals = new Map();
      this.#totals.set(event.operation, totals);
    }
    const status = shownStatus(event);
    totals.set(status, (totals.get(status) ?? 0) + 1);
    if (event.status === 'aborted') return;
    let second = this.#seconds.get(event.operation);
    if (second === undefined) {
      second = new Second();
      this.#seconds.set(event.operation, second);
    }
    second.add(event);
  }

  /**
   * Returns the counts since the last call and resets them. To be called each second. An operation without
   * a call in that time has none.
   */
  take(): Readonly<Partial<Record<OperationName, OperationSecond>>> {
    const seconds = this.#seconds;
    this.#seconds = new Map();
    for (const name of new Set([...this.#durations.keys(), ...seconds.keys()])) {
      const kept = this.#durations.get(name) ?? [];
      kept.push(seconds.get(name)?.durations ?? []);
      this.#durations.set(name, kept.slice(-LATENCY_SECONDS));
    }
    return Object.fromEntries(
      [...seconds].map(([name, { counts }]) => [name, { ...counts, ...this.#latency(name) }]),
    );
  }

  #latency(name: OperationName): Pick<OperationSecond, 'p50Ms' | 'p90Ms' | 'p99Ms'> {
    const sorted = (this.#durations.get(name) ?? []).flat().sort((a, b) => a - b);
    const at = (share: number): number | undefined => {
      const value = percentile(sorted, share);
      return value === undefined ? undefined : Math.round(value * 100) / 100;
    };
    return { p50Ms: at(0.5), p90Ms: at(0.9), p99Ms: at(0.99) };
  }

  totals(): OperationTotals {
    return Object.fromEntries(
      [...this.#totals].map(([name, statuses]) => [name, Object.fromEntries(statuses)]),
    );
  }
}
