import { Demand } from './demand.ts';
import type { ScalingMode } from './modes.ts';
import {
  type ResolvedScalingOptions,
  resolveScalingOptions,
  type ScalingOptions,
} from './options.ts';
import type { Recommendation } from './recommendation.ts';
import { replicasFor, Stabilizer, wholeReplicas } from './replicas.ts';
import type { ScalingState } from './state.ts';
import { observeScaling, reportMode } from './telemetry.ts';

/** The number of replicas that a demand needs, by its forecast. */
export interface ScalingSignal extends Disposable {
  readonly name: string;
  /** Reads the sources, unless that was less than a second ago, and says what they need. */
  recommendation(): Recommendation;
  /** What was learned, for the option `state` of a later run. JSON of it takes about 20 KB for a week. */
  dump(): ScalingState;
}

class Signal implements ScalingSignal {
  readonly name: string;
  readonly #options: ResolvedScalingOptions;
  readonly #demand: Demand;
  readonly #stabilizers: readonly [Stabilizer, Stabilizer, Stabilizer];
  readonly #levels: Disposable;
  #current: number | undefined;
  #mode: ScalingMode | undefined;

  constructor(options: ResolvedScalingOptions) {
    const { name, clock, stabilizationMs } = options;
    this.name = name;
    this.#options = options;
    this.#demand = new Demand(options);
    const stabilizer = (): Stabilizer => new Stabilizer(stabilizationMs);
    this.#stabilizers = [stabilizer(), stabilizer(), stabilizer()];
    const state = options.state === undefined ? undefined : this.#demand.restore(options.state);
    const age = state === undefined ? Number.NaN : clock.now() - state.at;
    if (state?.desired !== undefined && age >= 0 && age < stabilizationMs) {
      this.#current = state.desired;
      for (const one of this.#stabilizers) one.add(clock.monotonic(), state.desired);
    }
    this.#demand.turn();
    this.#levels = observeScaling(this, options.telemetry);
  }

  recommendation(): Recommendation {
    this.#demand.turn();
    const { mode, error, readings } = this.#demand;
    this.#report(mode);
    const ahead = this.#demand.ahead();
    const { rate } = readings;
    const need = rate === undefined ? undefined : this.#replicas(rate);
    const base = { name: this.name, mode, need, rate, expectedRate: ahead?.rate, error };
    const [desired, lower, upper] = [ahead?.rate, ahead?.lower, ahead?.upper].map((one) =>
      one === undefined ? undefined : this.#replicas(one),
    );
    if (desired === undefined || lower === undefined || upper === undefined) {
      return { ...base, desired: undefined, lower: undefined, upper: undefined };
    }
    if (this.#options.scope === 'instance') return { ...base, desired, lower, upper };
    return { ...base, ...this.#whole(desired, lower, upper) };
  }

  /** Without data the last number stays: what is not known is no reason to scale. */
  #whole(desired: number, lower: number, upper: number) {
    const { clock } = this.#options;
    const now = clock.monotonic();
    const [ofDesired, ofLower, ofUpper] = this.#stabilizers;
    const waiting = this.#demand.readings.queued > 0 ? 1 : 0;
    const whole = (need: number, current?: number): number =>
      Math.max(waiting, wholeReplicas(need, current, this.#options));
    const current = ofDesired.add(now, whole(desired, this.#current));
    this.#current = current;
    return {
      desired: current,
      lower: Math.min(current, ofLower.add(now, whole(lower))),
      upper: Math.max(current, ofUpper.add(now, whole(upper))),
    };
  }

  #replicas(rate: number): number | undefined {
    const { drainMs, targetUtilization } = this.#options;
    const { serviceTimeMs, queued, concurrency } = this.#demand.readings;
    if (rate === 0 && queued === 0) return 0;
    if (serviceTimeMs === undefined || concurrency === undefined) return undefined;
    const utilization = targetUtilization;
    const replicas = replicasFor({
      rate,
      serviceTimeMs,
      queued,
      drainMs,
      concurrency,
      utilization,
    });
    return Number.isFinite(replicas) ? replicas : undefined;
  }

  #report(mode: ScalingMode): void {
    if (mode === this.#mode) return;
    const before = this.#mode;
    this.#mode = mode;
    if (before !== undefined) {
      reportMode(this.name, before, mode, this.#demand.error, this.#options.telemetry);
    }
  }

  dump(): ScalingState {
    const { clock } = this.#options;
    return { version: 1, at: clock.now(), ...this.#demand.dump(), desired: this.#current };
  }

  [Symbol.dispose](): void {
    this.#levels[Symbol.dispose]();
  }
}

/**
 * Creates a scaling signal: desired replicas from the calls that arrive, run and wait, and from a forecast
 * of the arrivals by their season. It learns when it is read, by the collection of metrics or by
 * {@link ScalingSignal.recommendation}: at least once per slot, better four times a minute.
 *
 * ```ts
 * const calls = concurrency({ name: 'shop', limit: 20, maxQueue: 100 });
 * const scaling = scalingSignal({ name: 'shop', sources: limiterSources(calls) });
 * scaling.recommendation().desired; // this instance's share of the replicas
 * ```
 *
 * @throws {TypeError | RangeError} when an option is missing, unknown, of the wrong type or out of range
 */
export function scalingSignal(options: ScalingOptions): ScalingSignal {
  return new Signal(resolveScalingOptions(options));
}
