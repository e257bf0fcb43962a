import { Excess } from './excess.ts';
import type { Step } from './step.ts';

/** What is watched. */
export const SIGNALS = ['failures', 'slow', 'latency', 'queue', 'retries', 'timeouts'] as const;

/**
 * A signal: the share of failed calls, the share of slow ones, the mean logarithm of the duration, the
 * logarithm of the queue's length, retries per call, timeouts per call.
 */
export type Signal = (typeof SIGNALS)[number];

/** Steps after which half of what is usual is forgotten: half an hour of steps of five seconds. */
const MEMORY = 360;
/** Steps from which is learned before anything is judged: three minutes. */
const WARM_UP = 36;
/** From this score on the usual is learned more slowly: an incident shall not become the usual. */
const DOUBT = 10;
/** By how much more slowly. */
const RELUCTANCE = 0.05;
/** Steps with fewer calls have less weight. */
const FULL_TRUST_CALLS = 5;
/** Smallest believed deviation of each signal, in its unit. */
const FLOORS: Readonly<Record<Signal, number>> = {
  failures: 0.005,
  slow: 0.005,
  latency: 0.02,
  queue: 0.075,
  retries: 0.01,
  timeouts: 0.005,
};

/**
 * The early warning: each signal's distance from its own usual, in standard deviations, and the highest
 * of them as the score. Constant memory; constant time per step.
 */
export class EarlyWarning {
  readonly signals: Readonly<Record<Signal, Excess>> = {
    failures: new Excess(MEMORY, FLOORS.failures),
    slow: new Excess(MEMORY, FLOORS.slow),
    latency: new Excess(MEMORY, FLOORS.latency),
    queue: new Excess(MEMORY, FLOORS.queue),
    retries: new Excess(MEMORY, FLOORS.retries),
    timeouts: new Excess(MEMORY, FLOORS.timeouts),
  };
  /** The score of each signal in the last step; 0 while it learns. */
  readonly scores: Record<Signal, number> = {
    failures: 0,
    slow: 0,
    latency: 0,
    queue: 0,
    retries: 0,
    timeouts: 0,
  };
  #steps = 0;
  /** Variance of the logarithm of a duration. */
  #spread = 0.3;
  /** The highest score of the signals; 0 while it learns. */
  score = 0;

  /** Whether too little was seen to judge anything. */
  get learning(): boolean {
    return this.#steps < WARM_UP;
  }

  /** @returns the score */
  update(step: Step): number {
    this.#steps++;
    const { calls } = step;
    const { failures, slow, latency, queue, retries, timeouts } = this.signals;
    if (calls > 0) {
      if (step.logVariance > 0) this.#spread += 0.01 * (step.logVariance - this.#spread);
      this.#share(failures, step.failed, calls);
      this.#share(slow, step.slow, calls);
      // Retries and timeouts are not counted by key: while one key fails they say nothing of the others.
      this.#share(retries, step.oneKey ? retries.usual * calls : step.retries, calls);
      this.#share(timeouts, step.oneKey ? timeouts.usual * calls : step.timeouts, calls);
      latency.update(step.logDuration, this.#spread / calls, trustIn(calls));
    }
    queue.update(Math.log1p(step.queue), 0, 1);
    this.score = 0;
    for (const one of SIGNALS) {
      this.scores[one] = this.learning ? 0 : this.signals[one].score;
      this.score = Math.max(this.score, this.scores[one]);
    }
    const pace = this.score > DOUBT ? RELUCTANCE : 1;
    for (const one of SIGNALS) if (calls > 0 || one === 'queue') this.signals[one].learn(pace);
    return this.score;
  }

  /** Events per call, with the noise of a binomial share and a prior of half an event in fifty calls. */
  #share(signal: Excess, events: number, calls: number): void {
    const usual = Math.min(1, Math.max(0, signal.usual)) + 0.5 / (calls + 50);
    signal.update(events / calls, usual / calls, trustIn(calls));
  }
}

function trustIn(calls: number): number {
  return Math.min(1, calls / FULL_TRUST_CALLS);
}
