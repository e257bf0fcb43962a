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

/** The baseline is measured again after the limit has fallen for this many windows, to this share, */
const DOUBT_AFTER = 3;
const DOUBT_BELOW = 0.6;
/** or after it was the lowest one for this many: other clients fill the queue for shorter times. */
const DOUBT_AT_LOWEST = 12;
/** The dependency has become slower when this much of the latency is left at a lower limit. */
const LEFT = 0.8;
/** How many times higher one measurement makes the baseline then, and at most otherwise. */
const RAISE_SLOWER = 5;
const RAISE = 1.1;
/** For a probe the limit is lowered to this share of what should leave no queue. */
const PROBE_BELOW = 0.8;
/** And to at most this share of itself, as the baseline may be wrong. */
const PROBE_AT_MOST = 0.5;
/** A baseline below this share of the last one shows that the last one was measured with a queue. */
const CONFIRMED = 0.9;
/** Weight of the last window in the present latency; the rest is the windows before it. */
const NEWEST = 0.4;
/** A present latency of up to this many times the baseline is no sign of a queue. */
const NOISE = 1.4;
/** How far such a latency moves the baseline: a single outlier must not determine it. */
const PULL = 0.2;
/** By which share of itself the limit grows besides, while there is no queue. */
const GROWTH = 0.2;
/** How far the limit moves towards its target in one window. */
const SMOOTHING = 0.5;
/** Calls are to take at most this share of the time after which they are given up. */
const TIME_SHARE = 0.5;
/** How far a call that is given up moves what is known of the time that calls have. */
const PULL_TIME = 0.2;
/** So many completed calls are the fewest that say something. */
const FIRST_CALLS = 5;
/** And so many that were refused or timed out: a limit that is much too high must fall at once. */
const ENOUGH_OVERLOADED = 3;
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
 * Follows the gradient between the latency of an idle dependency and the present one: when calls take more
 * than `tolerance` times as long, or more than half of the time after which calls were given up, there is too
 * long a queue and the limit falls; otherwise it grows by its square root, and faster while there is no queue.
 *
 * The clients of one dependency do not know of each other, and what one of them measures is the queue of all.
 * So a lower latency is believed at once and a higher one slowly; a limit falls again only when its last
 * change has had time to show; and whatever the measurements say, the queue is held below half of the time
 * that calls have, where there is none to lose. After a collapse the limit begins at what still comes back
 * (Little's law), and with another slow start.
 *
 * Differs from its models: it begins with a slow start; windows are judged by their middle half, so that
 * neither a few quick failures nor a few stalls count; and the baseline is neither the smallest latency ever
 * seen (which one outlier determines) nor a long average (which follows a lasting overload): it is measured
 * every `probeIntervalMs`, and whenever a queue persists, by letting the own queue run empty for two windows.
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
  /** The latency at which it began to fall. */
  #fellAt = 0;
  #nextProbeAt: number | undefined;
  /** Whether the limit was the lowest one for long when the probe began. */
  #stuck = false;
  /** After how many milliseconds calls are given up, as far as some were. */
  #timeMs: number | undefined;
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
    if (sample.timedOut === true) this.#learnTime(now - sample.startedAt);
    if (sample.startedAt < this.#since) return;
    this.#window.add(sample);
    // The first calls meet the shortest queue.
    if (this.#baseline === undefined && this.#window.completed >= FIRST_CALLS) {
      this.#baseline = this.#window.latency;
    }
    if (
      now - this.#window.beganAt < Math.max(this.#parameters.windowMs, this.#present ?? 0) ||
      (this.#window.size < this.#fewest && this.#window.overloaded < ENOUGH_OVERLOADED)
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
    if (this.#phase === 'measure')
      return Math.ceil(Math.min(minSamples / 2, Math.max(2 * FIRST_CALLS, 2 * this.#limit)));
    return Math.min(minSamples, Math.max(FIRST_CALLS, Math.floor(this.#limit)));
  }

  get #isLowest(): boolean {
    return this.#limit <= this.#parameters.minLimit;
  }

  #learnTime(ms: number): void {
    if (this.#timeMs === undefined) {
      this.#timeMs = ms;
      if (this.#baseline !== undefined) this.#baseline = Math.min(this.#baseline, this.#halfTime);
    }
    this.#timeMs += PULL_TIME * (ms - this.#timeMs);
  }

  get #halfTime(): number {
    return TIME_SHARE * (this.#timeMs ?? Number.POSITIVE_INFINITY);
  }

  /** The latency from which the limit falls. */
  #target(baseline: number): number {
    const target = this.#parameters.tolerance * baseline;
    return baseline > this.#halfTime ? target : Math.min(target, this.#halfTime);
  }

  #judge(window: SampleWindow, now: number): void {
    const { latency, overloadRatio, isCutShort } = window;
    if (isCutShort) {
      this.#leave(now);
      this.#moveTo(this.#limit + SMOOTHING * Math.sqrt(this.#limit));
    } else if (latency === undefined || overloadRatio > OVERLOAD_RATIO) {
      this.#overloaded(window, now);
    } else if (this.#phase === 'drain') {
      this.#phase = 'measure';
      this.#since = now;
    } else if (this.#phase === 'measure') {
      this.#measured(latency, now);
    } else {
      this.#follow(window, latency, now);
    }
  }

  #overloaded(window: SampleWindow, now: number): void {
    const { latency, timedOut } = window;
    this.#leave(now);
    if (!timedOut) {
      this.#moveTo(this.#limit * (latency === undefined ? 0.5 : 0.8));
      return;
    }
    // By Little's law, as many calls in flight come back in the time that they should take.
    const target = this.#target(this.#baseline ?? latency ?? 0);
    this.#moveTo(Math.min(0.8 * this.#limit, window.rate(now) * target));
    if (latency === undefined) this.#phase = 'slow-start';
  }

  #measured(latency: number, now: number): void {
    const slower = ratioOf(latency, this.#baseline ?? latency);
    const isSlower = this.#falling > 0 && latency > LEFT * this.#fellAt;
    // The dependency has become slower, not fuller: the limit has fallen for no reason.
    if (isSlower && slower > 1) {
      this.#limitBefore = Math.min(this.#fellFrom, this.#limitBefore * slower);
    }
    const baseline = this.#baseline ?? latency;
    const most = baseline * (isSlower ? RAISE_SLOWER : RAISE);
    this.#baseline = Math.min(latency, this.#stuck ? most : this.#withinTime(most));
    this.#leave(now);
    // The queue may not have been empty yet: measure again soon.
    if (slower < CONFIRMED) this.#nextProbeAt = now + this.#parameters.probeIntervalMs / 30;
  }

  #follow(window: SampleWindow, latency: number, now: number): void {
    const used = window.maxInFlight * 2 >= this.#limit;
    const present = this.#smooth(latency);
    const baseline = this.#learn(present);
    const gradient = Math.min(1, ratioOf(this.#target(baseline), present));
    if (used) {
      if (gradient < 1) this.#phase = 'steady';
      const before = this.#limit;
      this.#moveTo(before + SMOOTHING * (this.#aim(gradient, present > baseline * NOISE) - before));
      this.#watch(before, present);
    }
    const doubtful = this.#isLowest
      ? this.#falling >= DOUBT_AT_LOWEST
      : this.#falling >= DOUBT_AFTER && this.#limit < this.#fellFrom * DOUBT_BELOW;
    if (doubtful || now >= this.#nextProbeAt!) this.#probe(ratioOf(baseline, present), now);
  }

  #aim(gradient: number, isQueue: boolean): number {
    const limit = this.#limit;
    if (this.#phase === 'slow-start') return limit * 3;
    if (gradient < 1) return limit * Math.max(0.5, gradient);
    return limit + Math.sqrt(limit) + (isQueue ? 0 : limit * GROWTH);
  }

  #smooth(latency: number): number {
    this.#present =
      this.#present === undefined ? latency : this.#present + NEWEST * (latency - this.#present);
    return this.#present;
  }

  #learn(present: number): number {
    const baseline = this.#baseline ?? present;
    const isQueue = present > baseline * NOISE;
    this.#baseline = isQueue ? baseline : this.#withinTime(baseline + PULL * (present - baseline));
    return this.#baseline;
  }

  /** Other clients can fill the queue so far, and no further: a higher baseline takes more to believe. */
  #withinTime(baseline: number): number {
    return Math.min(baseline, Math.max(this.#baseline ?? 0, this.#halfTime));
  }

  #watch(before: number, present: number): void {
    if (this.#limit > before || (this.#limit === before && !this.#isLowest)) {
      this.#falling = 0;
      return;
    }
    if (this.#falling === 0) {
      this.#fellFrom = before;
      this.#fellAt = present;
    }
    this.#falling++;
  }

  /** @param idle - share of the present latency that is not waiting, by the present baseline */
  #probe(idle: number, now: number): void {
    this.#stuck = this.#falling >= DOUBT_AT_LOWEST;
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
