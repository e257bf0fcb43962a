import type { Random } from '@temper/core';
import type { LimitAlgorithm, LimitBounds, Sample } from './limit-algorithm.ts';
import { SampleWindow } from './sample-window.ts';

/** Parameters of {@link Gradient}. */
export interface GradientParameters extends LimitBounds {
  /** How many times the latency of an idle backend is taken for no queue. */
  readonly tolerance: number;
  /** Shortest window over which calls are summed up, in milliseconds. */
  readonly windowMs: number;
  /** Fewest calls in a window. */
  readonly minSamples: number;
  /** Longest time between two looks at the latency of an idle backend, in milliseconds. */
  readonly probeIntervalMs: number;
  readonly random: Random;
}

/** A limit that has only come down for so many windows, and this far, raises a doubt about the baseline. */
const DOUBT_AFTER = 3;
const DOUBT_BELOW = 0.6;
/** For a probe the limit comes down to this share of what would leave no queue, by what is known. */
const PROBE_BELOW = 0.8;
/** And to no more than this share of itself, as what is known may be wrong. */
const PROBE_AT_MOST = 0.5;
/** A baseline that comes out lower than this share of the last was not that of an idle backend. */
const CONFIRMED = 0.9;
/** How much of the present latency the last window makes up; the rest is the windows before it. */
const NEWEST = 0.4;
/** How far the present latency pulls the baseline down: one odd window must not spoil it. */
const PULL_DOWN = 0.2;
/** How far it pulls it up, when the limiter is too little used to cause a queue. */
const PULL_UP = 0.1;
/** How far the limit moves towards its aim in one window. */
const SMOOTHING = 0.5;
/** Share of turned away or timed out calls that is overload, whatever the latency of the rest. */
const OVERLOAD_RATIO = 0.1;

type Phase =
  /** Doubling, until a queue shows. */
  | 'slow-start'
  | 'steady'
  /** The limit is held low until the queue has gone. */
  | 'drain'
  /** The queue has gone: the latency of this window is the baseline. */
  | 'measure';

/**
 * Follows the gradient between the latency of an idle backend and the present one: where calls take
 * `tolerance` times as long as they need, there is a queue, and the limit comes down; where not, it
 * grows by its square root. In a steady state the queue holds about as many calls as the backend works on.
 *
 * Differs from its models where their users were hurt: it begins with a slow start; windows are judged
 * by their middle half, so that neither a few quick failures nor a few stalls count; and the baseline is
 * neither the smallest latency ever seen (which one outlier spoils) nor a long average (which an
 * overload that lasts drags along): it is measured, every `probeIntervalMs` and whenever a queue will
 * not go away, by letting the queue run empty for the length of two windows.
 *
 * Sources: Netflix concurrency-limits (gradient, and its issues 34, 35, 37, 165); the measuring is
 * that of BBR's ProbeRTT, N. Cardwell et al., ACM Queue 14(5), 2016.
 */
export class Gradient implements LimitAlgorithm {
  readonly #parameters: GradientParameters;
  #limit: number;
  #phase: Phase = 'slow-start';
  #baseline: number | undefined;
  #present: number | undefined;
  #window: SampleWindow | undefined;
  /** Windows in which the limit has come down, one after the other, and where from. */
  #falling = 0;
  #fellFrom = 0;
  #nextProbeAt: number | undefined;
  /** The limit to go back to after a probe. */
  #limitBefore = 0;
  /** Calls that began earlier say nothing about the present phase. */
  #since = Number.NEGATIVE_INFINITY;

  constructor(parameters: GradientParameters) {
    this.#parameters = parameters;
    this.#limit = parameters.initialLimit;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Latency of an idle backend, in milliseconds, as far as it is known. */
  get baseline(): number | undefined {
    return this.#baseline;
  }

  observe(sample: Sample): void {
    const now = sample.endedAt;
    this.#window ??= new SampleWindow(sample.startedAt);
    // The first look comes soon: the limit to begin with may have caused a queue already.
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

  /** A low limit cannot bring many calls to an end in one window. */
  get #fewest(): number {
    const { minSamples } = this.#parameters;
    // What is measured here is believed for long; but little gets through meanwhile.
    if (this.#phase === 'measure') return Math.ceil(minSamples / 2);
    return Math.min(minSamples, Math.max(5, Math.floor(this.#limit)));
  }

  #judge(window: SampleWindow, now: number): void {
    const { latency, overloadRatio } = window;
    if (latency === undefined || overloadRatio > OVERLOAD_RATIO) {
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
    // The backend has become slower, not fuller: the limit has come down for nothing.
    if (this.#falling > 0 && slower > 1) {
      this.#limitBefore = Math.min(this.#fellFrom, this.#limitBefore * slower);
    }
    this.#baseline = latency;
    this.#leave(now);
    // Perhaps the queue had not gone yet: look again before long.
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

  /** @param idle - share of the present latency that is not waiting, by what is known so far */
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

  /** Spread, so that clients of one backend do not all let go of it in the same moment. */
  #probeTime(now: number): number {
    const { probeIntervalMs, random } = this.#parameters;
    return now + probeIntervalMs * (0.75 + 0.5 * random());
  }

  #moveTo(limit: number): void {
    const { minLimit, maxLimit } = this.#parameters;
    this.#limit = Math.min(maxLimit, Math.max(minLimit, limit));
  }
}

/** Calls that take no time at all say that there is no queue. */
function ratioOf(a: number, b: number): number {
  return b > 0 ? a / b : 1;
}
