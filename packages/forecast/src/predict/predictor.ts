import type { Operation, Outcome, Policy } from '@temper/core';
import {
  askNumber,
  type Call,
  checkNumber,
  checkType,
  decide,
  Listeners,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core/policy';
import { probabilityOf } from './calibration.ts';
import {
  type PredictorOptions,
  type ResolvedPredictorOptions,
  resolvePredictorOptions,
} from './options.ts';
import { Outlook } from './outlook.ts';
import { type Driver, type Prediction, reasonOf } from './prediction.ts';
import { EarlyWarning, SIGNALS, type Signal } from './signals.ts';
import { StepBuilder } from './step.ts';
import { observePredictor, reportCleared, reportWarning } from './telemetry.ts';

/** Silent steps after which everything is learned anew. */
const FORGET_STEPS = 720;
/** From this score on a signal is a driver. */
const DRIVER_SCORE = 3;

/** A call that is told to a predictor, where it does not run the call itself. */
export interface PredictorCall {
  readonly failed: boolean;
  /** In milliseconds, from 0. */
  readonly durationMs: number;
  /** Who the call was made for. Calls of one key that fails alone do not count. */
  readonly key?: string | undefined;
}

/** What a predictor has done since it was created. */
export interface PredictorStats {
  /** Calls that were recorded. */
  readonly calls: number;
  readonly warnings: number;
  readonly status: Prediction['status'];
  readonly score: number;
}

/** An early warning for one dependency. */
export interface FailurePredictor extends Policy {
  /**
   * Records a call that ran elsewhere.
   *
   * @throws {TypeError | RangeError} when a field is missing or out of range
   */
  record(call: PredictorCall): void;
  /** What is known by now: steps that have ended are judged first. */
  prediction(): Prediction;
  /** Adds a listener as the option `onWarning`; disposing of the result removes it. */
  onWarning(listener: (prediction: Prediction) => unknown): Disposable;
  stats(): PredictorStats;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
}

class Predictor extends PolicyBase implements FailurePredictor {
  readonly #options: ResolvedPredictorOptions;
  readonly #steps: StepBuilder;
  readonly #listeners: Listeners<Prediction>;
  readonly #levels: Disposable;
  #signals = new EarlyWarning();
  #outlook = new Outlook();
  #step: number;
  #noticedIn: number | undefined;
  #since: number | undefined;
  #calls = 0;
  #warnings = 0;
  #retries = 0;
  #timeouts = 0;
  #queue = 0;
  #silent = 0;
  #inStep = 0;

  constructor(options: ResolvedPredictorOptions) {
    super(options.name, options.clock);
    this.#options = options;
    this.#steps = new StepBuilder(options.slowCallDurationMs);
    this.#listeners = new Listeners(options.name, 'onWarning', options.onWarning);
    this.#step = this.#now();
    this.#retries = this.#read('retries', 0);
    this.#timeouts = this.#read('timeouts', 0);
    this.#levels = observePredictor(this, options.telemetry);
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const startedAt = this.clock.monotonic();
    let outcome: Outcome<T>;
    try {
      outcome = { ok: true, value: await operation(call) };
    } catch (error) {
      outcome = { ok: false, error };
    }
    // A call that was ended from outside tells nothing about the dependency, except by its deadline.
    if (call.endedBy === undefined || call.endedBy === 'deadline') {
      const failed = decide(this.name, this.#options.shouldHandle, outcome, call);
      this.#add(failed, this.clock.monotonic() - startedAt, call.key);
    }
    if (outcome.ok) return outcome.value;
    throw outcome.error;
  }

  record(call: PredictorCall): void {
    checkType(this.name, 'call', call, 'object');
    checkType(this.name, 'failed', call.failed, 'boolean');
    checkNumber(this.name, 'durationMs', call.durationMs, { min: 0, infinite: false });
    if (call.key !== undefined) checkType(this.name, 'key', call.key, 'string');
    this.#add(call.failed, call.durationMs, call.key);
  }

  #add(failed: boolean, durationMs: number, key: string | undefined): void {
    this.#turn();
    this.#calls++;
    this.#inStep++;
    this.#steps.record(failed, Math.max(0, durationMs), key);
  }

  prediction(): Prediction {
    this.#turn();
    const { score, learning } = this.#signals;
    const drivers = learning ? [] : this.#drivers();
    const noticedIn = this.#noticedIn;
    return {
      name: this.name,
      status: learning ? 'learning' : this.#since === undefined ? 'calm' : 'warning',
      score,
      probability: learning ? 0 : probabilityOf(score),
      drivers,
      scores: { ...this.#signals.scores },
      noticedInMs: noticedIn === undefined ? undefined : noticedIn * this.#options.stepMs,
      since: this.#since,
      reason: reasonOf(drivers),
    };
  }

  #drivers(): readonly Driver[] {
    return SIGNALS.map((signal) => {
      const { now, usual } = this.#signals.signals[signal];
      const score = this.#signals.scores[signal];
      return { signal, score, now: inUnits(signal, now), usual: inUnits(signal, usual) };
    })
      .filter(({ score }) => score >= DRIVER_SCORE)
      .sort((a, b) => b.score - a.score);
  }

  onWarning(listener: (prediction: Prediction) => unknown): Disposable {
    return this.#listeners.add(listener);
  }

  stats(): PredictorStats {
    const { status, score } = this.prediction();
    return { calls: this.#calls, warnings: this.#warnings, status, score };
  }

  override describe(): PolicyDescription {
    return { kind: 'predictor' };
  }

  [Symbol.dispose](): void {
    this.#levels[Symbol.dispose]();
  }

  #now(): number {
    return Math.floor(this.clock.monotonic() / this.#options.stepMs);
  }

  /** Judges the steps that have ended. */
  #turn(): void {
    const now = this.#now();
    if (now <= this.#step) return;
    const passed = now - this.#step;
    this.#step = now;
    this.#silent = this.#inStep === 0 ? this.#silent + passed : passed - 1;
    if (this.#silent >= FORGET_STEPS) {
      this.#forget();
      return;
    }
    this.#inStep = 0;
    const retries = this.#read('retries', this.#retries);
    const timeouts = this.#read('timeouts', this.#timeouts);
    this.#queue = this.#read('queue', this.#queue);
    this.#judge(Math.max(0, retries - this.#retries), Math.max(0, timeouts - this.#timeouts));
    this.#retries = retries;
    this.#timeouts = timeouts;
    for (let i = 1; i < passed; i++) this.#judge(0, 0);
  }

  /** Drops what was learned before a long silence. */
  #forget(): void {
    this.#steps.close(0, 0, 0);
    this.#signals = new EarlyWarning();
    this.#outlook = new Outlook();
    this.#noticedIn = undefined;
    this.#silent = 0;
    this.#inStep = 0;
    this.#clear();
  }

  #judge(retries: number, timeouts: number): void {
    const score = this.#signals.update(this.#steps.close(retries, timeouts, this.#queue));
    this.#noticedIn = this.#outlook.update(this.#signals);
    if (score < this.#options.threshold) this.#clear();
    else if (this.#since === undefined) {
      this.#since = this.clock.now();
      this.#warnings++;
      const prediction = this.prediction();
      reportWarning(prediction, this.#options.telemetry);
      this.#listeners.emit(prediction);
    }
  }

  #clear(): void {
    if (this.#since === undefined) return;
    this.#since = undefined;
    reportCleared(this.name, this.#options.telemetry);
  }

  #read(source: 'queue' | 'retries' | 'timeouts', last: number): number {
    const read = this.#options.sources[source];
    if (read === undefined) return last;
    const value = askNumber(this.name, `sources.${source}`, read);
    return value === undefined || !(value >= 0) ? last : value;
  }
}

/** A level of the detector in the units of a {@link Driver}. */
function inUnits(signal: Signal, value: number): number {
  if (signal === 'latency') return Math.exp(value);
  return signal === 'queue' ? Math.expm1(value) : value;
}

/**
 * Creates an early warning for one dependency. It is a policy that changes nothing: put it around the
 * calls, outside of retries, or {@link FailurePredictor.record | record} calls that ran elsewhere.
 *
 * ```ts
 * const outlook = predictFailure({ name: 'registry', slowCallDurationMs: 500 });
 * await outlook.execute(() => fetch('https://registry.example/std.core'));
 * outlook.prediction().status; // 'learning', 'calm' or 'warning'
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown, of the wrong type or out of range
 */
export function predictFailure(options: PredictorOptions = {}): FailurePredictor {
  return new Predictor(resolvePredictorOptions(options));
}
