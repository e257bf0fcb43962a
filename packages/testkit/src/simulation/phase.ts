import type { CallEnd } from './trace.ts';

/** What became of the calls that began in a part of the simulation. */
export interface PhaseReport {
  readonly fromMs: number;
  readonly toMs: number;
  readonly calls: number;
  readonly ends: Readonly<Record<CallEnd, number>>;
  /** Calls that failed, by the code or name of their error. */
  readonly errors: Readonly<Record<string, number>>;
  /**
   * Answered calls as a share of what the dependency could have answered: all calls, or its capacity if that is
   * less. Calls that their callers aborted are left out. 1 without calls.
   */
  readonly goodput: number;
  /** Requests that the dependency got in this time, for each call made in it. */
  readonly load: number;
  /** Latencies of the answered calls, in milliseconds; `NaN` without any. */
  readonly latencyMs: { readonly p50: number; readonly p90: number; readonly p99: number };
}
