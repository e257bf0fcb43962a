import type { Random } from '@temper/core';
import type { LimitAlgorithm, LimitBounds, Sample } from './limit-algorithm.ts';
import { SampleWindow } from './sample-window.ts';

/** Parameters of {@link Gradient}. */
export interface GradientParameters extends LimitBounds {
  /** Up to how many times the latency of an idle dependency counts as no queue. */
  readonly tolerance: number;
  /** Shortest window over which calls are measured, in milliseconds. */
  readonly windowMs: number;
  /** Fewest calls in a window. */
  readonly minSamples: number;
  /** Time between two measurements of the latency of an idle dependency, in milliseconds. */
  readonly probeIntervalMs: number;
  readonly random: Random;
}

/** The baseline is measured again after the limit has fallen for this many windows, to this share. */
const DOUBT_AFTER = 3;
const DOUBT_BELOW = 0.6;
/** For a probe the limit is lowered to this share of what should leave no queue. */
const PROBE_BELOW = 0.8;
/** And to at most this share of itself, as the baseline may be wrong. */
const PROBE_AT_MOST = 0.5;
/** A baseline below this share of the last one shows that the last one was measured with a queue. */
const CONFIRMED = 0.9;
/** Weight of the last window in the present latency; the rest is the windows before it. */
const NEWEST = 0.4;
/** How far a lower latency moves the baseline: a single outlier must not determine it. */
const PULL_DOWN = 0.2;
/** How far a higher latency moves it, while the limiter is too little used to cause a queue. */
const PULL_UP = 0.1;
/** How far the limit moves towards its target in one window. */
const SMOOTHING = 0.5;
/** Share of refused or timed out calls that is overload, whatever the latency of the rest. */
const OVERLOAD_RATIO = 0.1;

type Phase =
  /** The limit doubles until there is a queue. */
  | 'slow-start'
  | 'steady'
  /** The limit is kept low until the queue is empty. */
  | 'drain'
  /** The queue is empty: the latency of this window is the baseline. */
  | 'measure';

/**
 * Follows the gradient between the latency of an idle dependency and the present one: when calls take
 * more than `tolerance` times as long, there is a queue and the limit falls; otherwise it grows by its
 * square root. In a steady state the queue holds about as many calls as the dependency works on.
 *
 * Differs from its models in three points that caused failures there: it begins with a slow start;
 * windows are judged by their middle half, so that neither a few quick failures nor a few stalls count;
 * and the baseline is neither the smallest latency ever seen (which one outlier determines) nor a long
 * average (which follows a lasting overload): it is measured every `probeIntervalMs`, and whenever a
 * queue persists, by letting the queue run empty for two windows.
 *
 * Sources: Netflix concurrency-limits (gradient, and its issues 34, 35, 37, 165); the
 * measurement is that of BBR's ProbeRTT, N. Cardwell et al., ACM Queue 14(5), 2016.
 */
export class Gradient implements LimitAlgorithm {
  readonly #parameters: GradientParameters;
  #limit: number;
  #phase: Phase = 'slow-start';
  #baseline: number | undefined;
  #present: number | undefined;
  #window: SampleWindow | undefined;
  /** Consecutive windows in which the limit has fallen, and where from. */
  #falling = 0;
  #fellFrom = 0;
  #nextProbeAt: number | undefined;
  /** The limit to go back to after a probe. */
  #limitBefore = 0;
  /** Calls that began earlier do not belong to the present phase. */
  #since = Number.NEGATIVE_INFINITY;

  constructor(parameters: GradientParameters) {
    this.#parameters = parameters;
    this.#limit = parameters.initialLimit;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Latency of an idle dependency, in milliseconds, as far as it is known. */
  get baseline(): number | undefined {
    return this.#baseline;
  }

  observe(sample: Sample): void {
    const now = sample.endedAt;
    this.#window ??= new SampleWindow(sample.startedAt);
    // The first measurement comes soon: the initial limit may have caused a queue already.
    this.#nextProbeAt ??= now + this.#parameters.probeIntervalMs / 10;
    if (sample.startedAt < this.#since) return;
    this.#window.add(sample);
    if (
      now - this.#window.beganAt < this.#parameters.windowMs ||
      this.#window.size < this.#fewest
    ) {
      return;
    }
    this.#judge(this.#window, now);
    this.#window.reset(now);
  }

  /** Fewest calls in a window: with a low limit, few calls end in one. */
  get #fewest(): number {
    const { minSamples } = this.#parameters;
    // This measurement has a long effect, but few calls pass meanwhile.
    if (this.#phase === 'measure') return Math.ceil(minSamples / 2);
    return Math.min(minSamples, Math.max(5, Math.floor(this.#limit)));
  }

  #judge(window: SampleWindow, now: number): void {
    const { latency, overloadRatio, isCutShort } = window;
    if (isCutShort) {
      this.#leave(now);
      this.#moveTo(this.#limit + SMOOTHING * Math.sqrt(this.#limit));
    } else if (latency === undefined || overloadRatio > OVERLOAD_RATIO) {
      this.#leave(now);
      this.#moveTo(this.#limit * (latency === undefined ? 0.5 : 0.8));
    } else if (this.#phase === 'drain') {
      this.#phase = 'measure';
      this.#since = now;
    } else if (this.#phase === 'measure') {
      this.#measured(latency, now);
    } else {
      this.#follow(window, latency, now);
    }
  }

  #measured(latency: number, now: number): void {
    const slower = ratioOf(latency, this.#baseline ?? latency);
    // The dependency has become slower, not fuller: the limit has fallen for no reason.
    if (this.#falling > 0 && slower > 1) {
      this.#limitBefore = Math.min(this.#fellFrom, this.#limitBefore * slower);
    }
    this.#baseline = latency;
    this.#leave(now);
    // The queue may not have been empty yet: measure again soon.
    if (slower < CONFIRMED) this.#nextProbeAt = now + this.#parameters.probeIntervalMs / 30;
  }

  #follow(window: SampleWindow, latency: number, now: number): void {
    const used = window.maxInFlight * 2 >= this.#limit;
    const present = this.#smooth(latency);
    const baseline = this.#learn(present, used);
    const gradient = Math.min(1, this.#parameters.tolerance * ratioOf(baseline, present));
    if (used) {
      if (gradient < 1) this.#phase = 'steady';
      const aim =
        this.#phase === 'slow-start'
          ? this.#limit * 3
          : this.#limit * Math.max(0.5, gradient) + Math.sqrt(this.#limit);
      const before = this.#limit;
      this.#moveTo(before + SMOOTHING * (aim - before));
      this.#watch(before);
    }
    const doubtful = this.#falling >= DOUBT_AFTER && this.#limit < this.#fellFrom * DOUBT_BELOW;
    if (doubtful || now >= this.#nextProbeAt!) this.#probe(ratioOf(baseline, present), now);
  }

  #smooth(latency: number): number {
    this.#present =
      this.#present === undefined ? latency : this.#present + NEWEST * (latency - this.#present);
    return this.#present;
  }

  #learn(present: number, used: boolean): number {
    const baseline = this.#baseline ?? present;
    const pull = present < baseline ? PULL_DOWN : used ? 0 : PULL_UP;
    this.#baseline = baseline + pull * (present - baseline);
    return this.#baseline;
  }

  #watch(before: number): void {
    if (this.#limit >= before) {
      this.#falling = 0;
      return;
    }
    if (this.#falling === 0) this.#fellFrom = before;
    this.#falling++;
  }

  /** @param idle - share of the present latency that is not waiting, by the present baseline */
  #probe(idle: number, now: number): void {
    this.#phase = 'drain';
    this.#since = now;
    this.#limitBefore = this.#limit;
    this.#moveTo(this.#limit * Math.min(PROBE_AT_MOST, idle * PROBE_BELOW));
  }

  /** Ends a probe, if there is one. */
  #leave(now: number): void {
    if (this.#phase === 'drain' || this.#phase === 'measure') {
      this.#moveTo(this.#limitBefore);
      this.#nextProbeAt = this.#probeTime(now);
      this.#present = undefined;
    }
    this.#phase = 'steady';
    this.#falling = 0;
    this.#since = now;
  }

  /** Randomised, so that the clients of one dependency do not all measure at the same time. */
  #probeTime(now: number): number {
    const { probeIntervalMs, random } = this.#parameters;
    return now + probeIntervalMs * (0.75 + 0.5 * random());
  }

  #moveTo(limit: number): void {
    const { minLimit, maxLimit } = this.#parameters;
    this.#limit = Math.min(maxLimit, Math.max(minLimit, limit));
  }
}

/** Calls that take no time at all show that there is no queue. */
function ratioOf(a: number, b: number): number {
  return b > 0 ? a / b : 1;
}
