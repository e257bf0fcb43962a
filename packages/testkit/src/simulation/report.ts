import type { Outages } from './outages.ts';
import type { PhaseReport } from './phase.ts';
import { plot } from './plot.ts';
import type { CallEnd, TraceEvent } from './trace.ts';

/** Goodput that counts as recovered, as a share of what the dependency could give. */
const RECOVERED = 0.95;
/** Goodput is judged over so many seconds: over one, chance decides. */
const JUDGED_SECONDS = 5;

/** What a simulation has left behind when all calls should be over. */
export interface Leftovers {
  /** Calls that have not ended ten minutes after the last one was made. */
  readonly calls: number;
  /** Timers that would keep a process alive. */
  readonly timers: number;
  /** Listeners on the signals of callers. */
  readonly listeners: number;
}

interface ReportInit {
  readonly seed: number;
  readonly trace: readonly TraceEvent[];
  readonly durationMs: number;
  readonly outages: Outages;
  readonly capacity: number;
  readonly left: Leftovers;
}

interface CallRecord {
  readonly startedAt: number;
  endedAt: number;
  end: CallEnd | undefined;
  error: string | undefined;
}

/** The result of a simulation. */
export class SimulationReport {
  readonly seed: number;
  /** Everything that happened, in order. */
  readonly trace: readonly TraceEvent[];
  readonly durationMs: number;
  /** Requests that the dependency can answer in a second while it is well. */
  readonly capacity: number;
  readonly left: Leftovers;
  readonly #outages: Outages;
  readonly #calls: readonly CallRecord[];
  readonly #arrivals: readonly number[];

  constructor({ seed, trace, durationMs, outages, capacity, left }: ReportInit) {
    this.seed = seed;
    this.trace = trace;
    this.durationMs = durationMs;
    this.capacity = capacity;
    this.left = left;
    this.#outages = outages;
    this.#calls = callsOf(trace);
    this.#arrivals = trace.flatMap((event) => (event.type === 'arrival' ? [event.atMs] : []));
  }

  /** Until the first outage; everything without one. */
  get before(): PhaseReport {
    return this.phase(0, this.#outages.startMs ?? this.durationMs);
  }

  /** From the begin of the first outage to the end of the last one. */
  get during(): PhaseReport {
    return this.phase(
      this.#outages.startMs ?? this.durationMs,
      this.#outages.endMs ?? this.durationMs,
    );
  }

  /** From the end of the last outage on. */
  get after(): PhaseReport {
    return this.phase(this.#outages.endMs ?? this.durationMs, this.durationMs);
  }

  /**
   * How long after the last outage the goodput of all calls of five seconds is at least 95 % of what the
   * dependency could give, and stays so; in milliseconds, in steps of a second. 0 without an outage.
   *
   * @returns `undefined` when that is never reached
   */
  get recoveryMs(): number | undefined {
    const endMs = this.#outages.endMs;
    if (endMs === undefined) return 0;
    const judgedMs = JUDGED_SECONDS * 1000;
    let recovered: number | undefined;
    for (let fromMs = endMs; fromMs + judgedMs <= this.durationMs; fromMs += 1000) {
      if (this.phase(fromMs, fromMs + judgedMs).goodput < RECOVERED) recovered = undefined;
      else recovered ??= fromMs - endMs;
    }
    return recovered;
  }

  /** What became of the calls that began in a part of the simulation. */
  phase(fromMs: number, toMs: number): PhaseReport {
    const calls = this.#calls.filter(({ startedAt }) => startedAt >= fromMs && startedAt < toMs);
    const ends: Record<CallEnd, number> = {
      answered: 0,
      degraded: 0,
      late: 0,
      failed: 0,
      aborted: 0,
    };
    const errors: Record<string, number> = {};
    const latencies: number[] = [];
    for (const { startedAt, endedAt, end, error } of calls) {
      if (end !== undefined) ends[end]++;
      if (error !== undefined && end === 'failed') errors[error] = (errors[error] ?? 0) + 1;
      if (end === 'answered') latencies.push(endedAt - startedAt);
    }
    latencies.sort((a, b) => a - b);
    const quantile = (share: number): number =>
      latencies[Math.ceil(share * latencies.length) - 1] ?? Number.NaN;
    const wanted = calls.length - ends.aborted;
    const possible = Math.min(wanted, (this.capacity * (toMs - fromMs)) / 1000);
    const arrivals = this.#arrivals.filter((atMs) => atMs >= fromMs && atMs < toMs).length;
    return {
      fromMs,
      toMs,
      calls: calls.length,
      ends,
      errors,
      goodput: possible === 0 ? 1 : ends.answered / possible,
      load: calls.length === 0 ? 0 : arrivals / calls.length,
      latencyMs: { p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99) },
    };
  }

  /** Calls, answers, load and latency over time, as a picture. */
  toSvg(title: string = `Seed ${this.seed}`): string {
    const seconds = Array.from({ length: Math.ceil(this.durationMs / 1000) }, (_, second) =>
      this.phase(second * 1000, (second + 1) * 1000),
    );
    return plot(title, seconds, this.capacity, this.#outages.all);
  }
}

function callsOf(trace: readonly TraceEvent[]): CallRecord[] {
  const calls: CallRecord[] = [];
  for (const event of trace) {
    if (event.type === 'call') {
      const { atMs: startedAt } = event;
      calls.push({ startedAt, endedAt: Number.NaN, end: undefined, error: undefined });
    } else if (event.type === 'end') {
      const record = calls[event.call] as CallRecord;
      record.endedAt = event.atMs;
      record.end = event.end;
      record.error = event.error;
    }
  }
  return calls;
}
