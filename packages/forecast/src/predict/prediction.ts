import type { Signal } from './signals.ts';

/** A signal that speaks for a warning. */
export interface Driver {
  readonly signal: Signal;
  /** Standard deviations above its usual. */
  readonly score: number;
  /**
   * The signal now and as it usually is: events per call for failures, slow calls, retries and
   * timeouts; milliseconds (geometric mean) for the latency; waiting calls for the queue.
   */
  readonly now: number;
  readonly usual: number;
}

/** What a predictor says of its dependency. Plain data. */
export interface Prediction {
  readonly name: string;
  /** `learning` until 36 steps were seen: three minutes by default. It does not warn then. */
  readonly status: 'learning' | 'calm' | 'warning';
  /** The highest score of the signals, in standard deviations above the usual; from 0. */
  readonly score: number;
  /** Calibrated probability that an incident is under way, from 0 to 1. */
  readonly probability: number;
  /** Signals whose score is at least 3, the highest first. */
  readonly drivers: readonly Driver[];
  /** The score of each signal. */
  readonly scores: Readonly<Record<Signal, number>>;
  /**
   * Lead time: milliseconds until ten calls of a hundred more than usual are failed or slow, by the
   * present slope. 0 when they are, `undefined` when there is no such slope.
   */
  readonly noticedInMs: number | undefined;
  /** Wall-clock time in milliseconds at which the warning began; `undefined` without one. */
  readonly since: number | undefined;
  /** The drivers in words, for people. */
  readonly reason: string;
}

const NAMES: Readonly<Record<Signal, string>> = {
  failures: 'failed calls',
  slow: 'slow calls',
  latency: 'latency',
  queue: 'waiting calls',
  retries: 'retries per call',
  timeouts: 'timeouts per call',
};

/** Puts the drivers into words: `latency 84 ms instead of 31 ms (14.2 σ)`. */
export function reasonOf(drivers: readonly Driver[]): string {
  if (drivers.length === 0) return 'nothing is above its usual';
  return drivers
    .slice(0, 3)
    .map(({ signal, score, now, usual }) => {
      const [is, was] = [now, usual].map((value) => show(signal, value));
      return `${NAMES[signal]} ${is} instead of ${was} (${score.toFixed(1)} σ)`;
    })
    .join(', ');
}

function show(signal: Signal, value: number): string {
  if (signal === 'latency') return `${value.toPrecision(3)} ms`;
  if (signal === 'queue') return value.toFixed(1);
  return signal === 'failures' || signal === 'slow'
    ? `${(100 * value).toFixed(1)} %`
    : value.toFixed(2);
}
