import { isRefusal } from '@temper/core';
import type { OperationEvent, OperationName } from '@temper/parsercraft-handlers';

/** Outcomes of the calls that started in one phase. */
export interface PhaseResult {
  readonly name: string;
  readonly seconds: number;
  /** Guarded operations that ended, aborted ones excluded. */
  readonly calls: number;
  /**
   * Calls by outcome. A rejected call with a degraded answer counts as degraded and as a rejection.
   */
  readonly successes: number;
  readonly degraded: number;
  readonly rejections: number;
  readonly failures: number;
  /** How often a subsystem was called, retries included. */
  readonly attempts: number;
  /** Undefined without calls. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  readonly operations: Readonly<Partial<Record<OperationName, number>>>;
}

/** Whether a policy rejected the operation before it reached its subsystem. */
export function wasRejected({ error }: OperationEvent): boolean {
  return isRefusal(error);
}

/** Nearest-rank percentile of sorted values. */
export function percentile(sorted: readonly number[], share: number): number | undefined {
  if (sorted.length === 0) return undefined;
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}

/** Counts the outcomes of the calls of one phase. */
export class Tally {
  readonly name: string;
  readonly #durations: number[] = [];
  readonly #counts = { successes: 0, degraded: 0, rejections: 0, failures: 0, attempts: 0 };
  readonly #operations: Record<string, number> = {};

  constructor(name: string) {
    this.name = name;
  }

  add(event: OperationEvent): void {
    const { operation, status, durationMs, attempts } = event;
    if (status === 'aborted') return;
    this.#durations.push(durationMs);
    this.#counts.attempts += attempts;
    this.#operations[operation] = (this.#operations[operation] ?? 0) + 1;
    if (status === 'success') this.#counts.successes += 1;
    else if (status === 'degraded') this.#counts.degraded += 1;
    else if (!wasRejected(event)) this.#counts.failures += 1;
    // A rejected call may still get a degraded answer; it counts as a rejection too.
    if (wasRejected(event)) this.#counts.rejections += 1;
  }

  result(seconds: number): PhaseResult {
    const sorted = this.#durations.toSorted((a, b) => a - b);
    return {
      name: this.name,
      seconds: rounded(seconds),
      calls: sorted.length,
      ...this.#counts,
      p50Ms: roundedOr(percentile(sorted, 0.5)),
      p99Ms: roundedOr(percentile(sorted, 0.99)),
      operations: { ...this.#operations },
    };
  }
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

function roundedOr(value: number | undefined): number | undefined {
  return value === undefined ? undefined : rounded(value);
}
