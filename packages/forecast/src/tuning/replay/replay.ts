import type { Random } from '@temper/core';
import { checkKnown, checkNumber } from '@temper/core/policy';
import { wilson, Z } from '../binomial.ts';
import type { RecordedCall } from '../recorded-call.ts';
import type { TuningSetting } from '../setting-names.ts';
import { checkSettings, type TuningSettings } from '../settings.ts';
import type { Trace } from '../trace.ts';
import { type Mode, Pools } from './pools.ts';
import { type ReplayedCall, replayCall } from './replay-call.ts';

/** Options of {@link replay}. */
export interface ReplayOptions {
  /**
   * Seed of the draws: equal seeds give equal results.
   *
   * @defaultValue 1
   * @throws {RangeError} unless an integer from 1 to 2^31 - 1
   */
  readonly seed?: number;
}

/** A figure, and the range in which a run of as many calls would have it in 99 of 100 cases. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** What settings would have done. */
export interface Replayed {
  readonly calls: number;
  /** Share of the calls that fail, from 0 to 1. */
  readonly failureRatio: Estimate;
  readonly p50Ms: Estimate;
  readonly p99Ms: Estimate;
  /** Tries per call. */
  readonly load: Estimate;
  /** Share of the calls that rest on tries which were never made, and were drawn from others. */
  readonly unseen: number;
  /** Settings that differ and were not replayed: those of a circuit depend on what other calls did. */
  readonly notReplayed: readonly TuningSetting[];
}

const REPLAYED: readonly TuningSetting[] = [
  'maxAttempts',
  'initialDelayMs',
  'attemptTimeoutMs',
  'hedgeDelayMs',
];
/** Times that the calls to draw from are drawn themselves, to see how much hangs on them (bootstrap). */
const RESAMPLES = 8;
/** A run of as many calls differs by chance as much as the trace does. */
const PREDICTION = Z * Math.SQRT2;

/**
 * What other settings would have done to recorded calls. What was recorded stays as it was; tries that
 * were never made are drawn from those that were, given the number of their attempt.
 *
 * It takes for granted that tries are independent of each other, that the dependency answers the same
 * under another load, that the wait before an attempt does not change its fate, and that no budget refuses
 * hedges that are new. Of a try that timed out nobody knows when it would have ended: the range goes from
 * at once to never. Attempts beyond those that were made are as good as the last of these at best, and
 * useless at worst.
 *
 * @throws {TypeError | RangeError} when a setting or option is unknown or out of range, or the trace has
 * no calls
 */
export function replay(
  trace: Trace,
  settings: TuningSettings,
  options: ReplayOptions = {},
): Replayed {
  const owner = 'replay';
  const replayed = { ...trace.settings, ...checkSettings(owner, settings, {}) };
  checkKnown(owner, options, ['seed']);
  const { seed = 1 } = options;
  checkNumber(owner, 'seed', seed, { min: 1, max: 2 ** 31 - 1, integer: true });
  if (trace.calls.length === 0) throw new TypeError(`${owner}: the trace has no calls.`);
  const both = { recorded: trace.settings, replayed };
  const random = randomOf(seed);
  const run = (pools: Pools, mode: Mode): Figures =>
    figuresOf(trace.calls.map((call) => replayCall(call, both, pools, mode)));
  const likely = run(new Pools(trace.calls, random), 'likely');
  const all: Figures[] = [likely];
  for (let i = 0; i < RESAMPLES; i++) {
    const pools = new Pools(resample(trace.calls, random), random);
    all.push(run(pools, 'best'), run(pools, 'worst'));
  }
  const within = (figure: (figures: Figures) => Estimate): Estimate => ({
    value: figure(likely).value,
    low: Math.min(...all.map((one) => figure(one).low)),
    high: Math.max(...all.map((one) => figure(one).high)),
  });
  return {
    calls: trace.calls.length,
    failureRatio: within((one) => one.failureRatio),
    p50Ms: within((one) => one.p50Ms),
    p99Ms: within((one) => one.p99Ms),
    load: within((one) => one.load),
    unseen: likely.unseen,
    notReplayed: (Object.keys(replayed) as TuningSetting[]).filter(
      (name) => !REPLAYED.includes(name) && replayed[name] !== trace.settings[name],
    ),
  };
}

type Figures = Pick<Replayed, 'failureRatio' | 'p50Ms' | 'p99Ms' | 'load' | 'unseen'>;

function figuresOf(calls: readonly ReplayedCall[]): Figures {
  const count = calls.length;
  const failed = calls.reduce((sum, { ok }) => sum + (ok ? 0 : 1), 0);
  const [low, high] = wilson(failed, count, PREDICTION);
  const sorted = Float64Array.from(calls, ({ tookMs }) => tookMs).sort();
  const load = calls.reduce((sum, { tries }) => sum + tries, 0) / count;
  const squares = calls.reduce((sum, { tries }) => sum + (tries - load) ** 2, 0);
  const error = (PREDICTION * Math.sqrt(squares / count)) / Math.sqrt(count);
  return {
    failureRatio: { value: failed / count, low, high },
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    load: { value: load, low: load - error, high: load + error },
    unseen: calls.reduce((sum, { unseen }) => sum + (unseen ? 1 : 0), 0) / count,
  };
}

/** A quantile with the range of its rank, whatever the distribution. */
function quantile(sorted: Float64Array, q: number): Estimate {
  const count = sorted.length;
  const error = PREDICTION * Math.sqrt(count * q * (1 - q));
  const at = (rank: number): number =>
    sorted[Math.min(count - 1, Math.max(0, Math.ceil(rank) - 1))] as number;
  return { value: at(q * count), low: at(q * count - error), high: at(q * count + error) };
}

function resample(calls: readonly RecordedCall[], random: Random): readonly RecordedCall[] {
  return calls.map(() => calls[Math.floor(random() * calls.length)] as RecordedCall);
}

/** Source: S. K. Park, K. W. Miller, "Random number generators: good ones are hard to find", CACM 31, 1988. */
function randomOf(seed: number): Random {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return (state - 1) / 2_147_483_646;
  };
}
