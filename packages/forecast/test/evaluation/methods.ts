import { EarlyWarning, SIGNALS } from '../../src/predict/signals.ts';
import type { Step } from '../../src/predict/step.ts';
import { LevelCusum, RateCusum } from './cusum.ts';
import type { Detector, Method } from './detector.ts';
import { fitLogistic, type Logistic, predict, type Sample } from './logistic.ts';
import { AFTERGLOW_STEPS } from './measure.ts';
import { type Run, STEP_S } from './simulator.ts';

const WARM_UP = 36;
const MEMORY = 360;

const badShare = (calls: number, bad: number): number => (calls === 0 ? 0 : bad / calls);

/** Bad calls in the last minute, if there were ten calls, as an alerting rule with a fixed limit has it. */
class StaticThreshold implements Detector {
  readonly #calls: number[] = [];
  readonly #bad: number[] = [];
  update({ calls, failed, slow }: Step): number {
    this.#calls.push(calls);
    this.#bad.push(failed + slow);
    if (this.#calls.length > 60 / STEP_S) {
      this.#calls.shift();
      this.#bad.shift();
    }
    const sum = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0);
    const total = sum(this.#calls);
    return total < 10 ? 0 : badShare(total, sum(this.#bad));
  }
}

/** A moving average of the share of bad calls, with a fixed limit. */
class Ewma implements Detector {
  #level = 0;
  #begun = false;
  update({ calls, failed, slow }: Step): number {
    if (calls > 0) {
      const ratio = badShare(calls, failed + slow);
      const alpha = 0.2 * Math.min(1, calls / 10);
      this.#level = this.#begun ? this.#level + alpha * (ratio - this.#level) : ratio;
      this.#begun = true;
    }
    return this.#level;
  }
}

/** Holt's line over the ratio of failed calls, as recovery plans had it: the ratio in a minute. */
class HoltLine implements Detector {
  #level: number | undefined;
  #trend = 0;
  update({ calls, failed }: Step): number {
    if (calls > 0) {
      const ratio = failed / calls;
      const weight = 0.4 * Math.min(1, calls / 10);
      if (this.#level === undefined) this.#level = ratio;
      else {
        const before = this.#level;
        this.#level = clamp(weight * ratio + (1 - weight) * (before + this.#trend));
        this.#trend = 0.2 * (this.#level - before) + 0.8 * this.#trend;
      }
    }
    return clamp((this.#level ?? 0) + this.#trend * (60 / STEP_S));
  }
}

/** A fast average of the bad share against the prediction interval of a slow one. */
class PredictionInterval implements Detector {
  #fast = 0;
  #slow = 0;
  #variance = 0;
  #steps = 0;
  update({ calls, failed, slow }: Step): number {
    if (calls === 0) return this.#score();
    const ratio = badShare(calls, failed + slow);
    this.#steps++;
    const learn = Math.max(0.002, 1 / this.#steps);
    this.#fast += Math.max(0.2, learn) * (ratio - this.#fast);
    const wrong = this.#score() > 3;
    const excess = this.#fast - this.#slow;
    this.#slow += (wrong ? learn / 20 : learn) * (ratio - this.#slow);
    this.#variance += (wrong ? learn / 20 : learn) * (excess * excess - this.#variance);
    return this.#score();
  }
  #score(): number {
    if (this.#steps < WARM_UP) return 0;
    return (this.#fast - this.#slow) / Math.sqrt(this.#variance + 0.0001);
  }
}

/**
 * Bayesian online change-point detection (Adams and MacKay, 2007) on the share of bad calls with a
 * beta prior, run lengths up to `longest`: the probability that the share now is higher than
 * usual by five of a hundred.
 */
class ChangePoint implements Detector {
  readonly #longest = 20;
  readonly #hazard = 1 / 720;
  #mass: number[] = [1];
  #bad: number[] = [0.2];
  #good: number[] = [9.8];
  #calls = 0;
  #events = 0;
  #steps = 0;
  update({ calls, failed, slow }: Step): number {
    const bad = failed + slow;
    this.#steps++;
    const usual = (this.#events + 0.5) / (this.#calls + 50);
    const mass: number[] = [0];
    let total = 0;
    for (let r = 0; r < this.#mass.length; r++) {
      const a = this.#bad[r] as number;
      const b = this.#good[r] as number;
      const seen = (this.#mass[r] as number) * Math.exp(logBetaBinomial(calls, bad, a, b));
      mass.push(seen * (1 - this.#hazard));
      mass[0] = (mass[0] as number) + seen * this.#hazard;
      total += seen;
    }
    const badNext = [0.2, ...this.#bad.map((a) => a + bad)];
    const goodNext = [9.8, ...this.#good.map((b) => b + calls - bad)];
    if (mass.length > this.#longest) {
      // The longest run length stands for all that are longer, with a memory of as many steps.
      const last = mass.pop() as number;
      badNext.pop();
      goodNext.pop();
      mass[mass.length - 1] = (mass.at(-1) as number) + last;
    }
    this.#mass = mass.map((one) => one / Math.max(total, 1e-300));
    this.#bad = badNext;
    this.#good = goodNext;
    let raised = 0;
    for (let r = 0; r < this.#mass.length; r++) {
      const a = this.#bad[r] as number;
      const b = this.#good[r] as number;
      const mean = a / (a + b);
      const sd = Math.sqrt((mean * (1 - mean)) / (a + b + 1));
      raised += (this.#mass[r] as number) * normalTail((usual + 0.05 - mean) / sd);
    }
    const weight = raised > 0.5 ? 0.05 : 1;
    const keep = 0.5 ** (weight / 360);
    this.#calls = this.#calls * keep + calls * weight;
    this.#events = this.#events * keep + bad * weight;
    if (this.#steps < WARM_UP) return 0;
    return Math.log((raised + 1e-9) / (1 - raised + 1e-9));
  }
}

/** Cumulative sums of the rates of failed and slow calls. */
class BadCallsCusum implements Detector {
  readonly #bad = new RateCusum(MEMORY, 0.1, 3);
  #steps = 0;
  update({ calls, failed, slow }: Step): number {
    return this.#bad.update(calls, failed + slow, this.#steps++ >= WARM_UP);
  }
}

/** The highest of the cumulative sums of all signals. */
class SignalCusum implements Detector {
  readonly #rates = [0.1, 0.1, 0.15, 0.1].map((rise) => new RateCusum(MEMORY, rise, 3));
  readonly #latency = new LevelCusum(MEMORY, 0.4, 0.1);
  readonly #queue = new LevelCusum(MEMORY, 1, 0.4);
  #steps = 0;
  update(step: Step): number {
    const { calls } = step;
    const judge = this.#steps++ >= WARM_UP;
    const events = [step.failed, step.slow, step.retries, step.timeouts];
    const sums = this.#rates.map((rate, i) => rate.update(calls, events[i] as number, judge));
    if (calls > 0)
      this.#latency.update(step.logDuration, Math.max(0.02, step.logVariance) / calls, judge);
    this.#queue.update(Math.log1p(step.queue), 0, judge);
    return Math.max(...sums, this.#latency.sum, this.#queue.sum);
  }
}

/** A logistic model over the excess of each signal, fitted to runs. */
class SignalLogistic implements Detector {
  readonly #model: Logistic;
  readonly #signals = new EarlyWarning();
  constructor(model: Logistic) {
    this.#model = model;
  }
  update(step: Step): number {
    this.#signals.update(step);
    return predict(this.#model, featuresOf(this.#signals));
  }
}

function featuresOf(warning: EarlyWarning): number[] {
  return SIGNALS.map((one) => Math.log1p(warning.scores[one]));
}

/** Steps of runs with their label: whether there is an incident. Of the calm ones every sixth. */
export function samplesOf(
  runs: readonly Run[],
  features: (warning: EarlyWarning) => number[],
): Sample[] {
  const samples: Sample[] = [];
  for (const { steps, onset = Number.POSITIVE_INFINITY, end = 0 } of runs) {
    const warning = new EarlyWarning();
    steps.forEach((step, i) => {
      warning.update(step);
      const label = i >= onset && i < end ? 1 : 0;
      const after = i >= end && i < end + AFTERGLOW_STEPS;
      if (after || warning.learning || (label === 0 && i % 6 > 0)) return;
      samples.push({ features: features(warning), label, weight: label === 1 ? 1 : 6 });
    });
  }
  return samples;
}

/** The method that `predictFailure` uses. */
export const DEFAULT = 'EWMA excess, all signals';
/** What the default is measured against. */
export const BASELINES: readonly string[] = ['static threshold', 'EWMA'];

/** @param tuning - runs that models are fitted to */
export function methods(tuning: readonly Run[]): readonly Method[] {
  const model = fitLogistic(samplesOf(tuning, featuresOf), 300);
  return [
    {
      name: 'static threshold',
      source: 'share of bad calls in the last minute',
      create: () => new StaticThreshold(),
    },
    { name: 'EWMA', source: 'Roberts 1959', create: () => new Ewma() },
    {
      name: 'Holt line',
      source: 'Holt 1957; what recovery plans had',
      create: () => new HoltLine(),
    },
    {
      name: 'EWMA with prediction interval',
      source: 'Roberts 1959',
      create: () => new PredictionInterval(),
    },
    { name: 'BOCPD', source: 'Adams and MacKay 2007', create: () => new ChangePoint() },
    { name: 'CUSUM, bad calls', source: 'Page 1954', create: () => new BadCallsCusum() },
    { name: 'CUSUM, all signals', source: 'Page 1954', create: () => new SignalCusum() },
    {
      name: 'logistic, all signals',
      source: 'fitted to the tuning seeds',
      create: () => new SignalLogistic(model),
    },
    { name: DEFAULT, source: 'Roberts 1959', create: () => new EarlyWarning() },
  ];
}

function clamp(ratio: number): number {
  return Math.min(1, Math.max(0, ratio));
}

function logBetaBinomial(n: number, k: number, a: number, b: number): number {
  return (
    logGamma(k + a) +
    logGamma(n - k + b) -
    logGamma(n + a + b) -
    (logGamma(a) + logGamma(b) - logGamma(a + b))
  );
}

/** Stirling's series, shifted up to where it is exact to nine digits. */
function logGamma(x: number): number {
  let shift = 0;
  let z = x;
  while (z < 7) shift += Math.log(z++);
  const inverse = 1 / (z * z);
  return (
    (z - 0.5) * Math.log(z) -
    z +
    0.918938533204673 -
    shift +
    (1 / 12 - inverse * (1 / 360 - inverse / 1260)) / z
  );
}

/** Upper tail of the normal distribution (Abramowitz and Stegun 26.2.17). */
function normalTail(x: number): number {
  if (x < 0) return 1 - normalTail(-x);
  const t = 1 / (1 + 0.2316419 * x);
  const poly =
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * poly;
}
