import { wilson, Z } from './binomial.ts';
import type { Evidence } from './evidence.ts';
import type { RecordedCall } from './recorded-call.ts';
import { SequentialTest } from './sequential-test.ts';

/** Calls before a change that are needed to tell what was usual. */
export const NEEDED_BEFORE = 1000;
/** A trial that is undecided after so many calls is undone: the change was not shown to be harmless. */
const LONGEST_TRIAL = 20_000;
/** By this factor and this much more, a rate is worse. */
const FACTOR = 1.5;
/** So many times as many calls may take longer than 99 % did: that the 99th percentile is known only nearly. */
const SLOW_FACTOR = 2;
const MORE = 0.005;
const MORE_LOAD = 0.02;
/** Readings of the user's own metric before a change that are needed. */
export const NEEDED_READINGS = 5;
/** Standard errors by which its mean may rise. */
const ERRORS = 4;

/** What was usual, or what a trial has brought. */
export interface Usual {
  readonly calls: number;
  /** Share of the calls that failed, from 0 to 1. */
  readonly failureRatio: number;
  readonly p99Ms: number;
  /** Tries per call. */
  readonly load: number;
}

/** Which metric became worse, or why a trial ended otherwise. */
export type GuardVerdict =
  | { readonly kind: 'fine' }
  | { readonly kind: 'worse'; readonly metric: 'failures' | 'latency' | 'load' | 'guard' }
  | { readonly kind: 'undecided' };

export function usualOf(evidence: Evidence): Usual {
  const calls = Math.max(1, evidence.calls);
  return {
    calls: Math.round(evidence.calls),
    failureRatio: evidence.failed / calls,
    p99Ms: evidence.callDurations.quantile(0.99) ?? 0,
    load: evidence.tries / calls,
  };
}

/**
 * Compares calls after a change with those before it: the share that fails, the share that takes longer
 * than 99 % did before, and the tries that the dependency gets per call.
 */
export class Guard {
  readonly before: Usual;
  readonly #failures: SequentialTest;
  readonly #slow: SequentialTest;
  readonly #load: SequentialTest;
  readonly #readings: Readings;
  #calls = 0;
  #own: 'worse' | undefined;
  #ownAfter = new Readings();

  /** @param expectedExtraLoad - tries beyond the first per call that the change is meant to bring */
  constructor(evidence: Evidence, readings: Readings, expectedExtraLoad: number = 0) {
    const { calls, failed, tries } = evidence;
    this.before = usualOf(evidence);
    this.#readings = readings;
    const [, failing] = wilson(failed, calls);
    const slow = calls - evidence.callDurations.answeredWithin(0, this.before.p99Ms);
    const [, slower] = wilson(Math.max(0, slow), calls);
    // As far above the mean as chance explains, for tries beyond the first that are independent.
    const load =
      Math.max(tries / calls, expectedExtraLoad > 0 ? 1 + expectedExtraLoad : 0, 0.01) +
      Z * Math.sqrt((Math.max(0, tries - calls) + 1) / calls / calls);
    this.#failures = new SequentialTest(failing, worseShare(failing), 'share');
    this.#slow = new SequentialTest(slower, Math.min(0.999, slower * SLOW_FACTOR), 'share');
    this.#load = new SequentialTest(load, 1 + Math.max(0, load - 1) * FACTOR + MORE_LOAD, 'count');
  }

  /** @returns what is decided, or `undefined` while nothing is */
  add(call: RecordedCall): GuardVerdict | undefined {
    this.#calls++;
    const failures = this.#failures.add(call.ok ? 0 : 1);
    const slow = this.#slow.add(call.tookMs > this.before.p99Ms ? 1 : 0);
    const load = this.#load.add(call.tries.length);
    if (failures === 'worse') return { kind: 'worse', metric: 'failures' };
    if (slow === 'worse') return { kind: 'worse', metric: 'latency' };
    if (load === 'worse') return { kind: 'worse', metric: 'load' };
    if (this.#own === 'worse') return { kind: 'worse', metric: 'guard' };
    const done = failures === 'fine' && slow === 'fine' && load === 'fine';
    const enough = this.#readings.count === 0 || this.#ownAfter.count >= NEEDED_READINGS;
    if (done && enough) return { kind: 'fine' };
    return this.#calls >= LONGEST_TRIAL ? { kind: 'undecided' } : undefined;
  }

  /** Adds a reading of the user's metric, once per step. */
  read(value: number): void {
    this.#ownAfter.add(value);
    const { count, mean } = this.#ownAfter;
    if (count < NEEDED_READINGS) return;
    const error = Math.sqrt(
      this.#readings.variance / this.#readings.count + this.#ownAfter.variance / count,
    );
    if (mean > this.#readings.mean + Math.max(ERRORS * error, 1e-9)) this.#own = 'worse';
  }
}

/** Mean and variance of readings. Source: B. P. Welford, Technometrics 4, 1962. */
export class Readings {
  count = 0;
  mean = 0;
  #squares = 0;

  add(value: number): void {
    this.count++;
    const delta = value - this.mean;
    this.mean += delta / this.count;
    this.#squares += delta * (value - this.mean);
  }

  get variance(): number {
    return this.count < 2 ? 0 : this.#squares / (this.count - 1);
  }
}

function worseShare(rate: number): number {
  return Math.min(0.999, Math.max(rate * FACTOR, rate + MORE));
}
