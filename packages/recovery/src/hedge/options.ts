import {
  type CallContext,
  type Clock,
  type ShouldHandle,
  type SpanMode,
  systemClock,
  type TelemetryScope,
} from '@temper/core';
import {
  clockRule,
  DEFAULT_SPANS,
  type Defaults,
  methodsRule,
  nameRule,
  numberRule,
  type OptionRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  SPAN_MODES,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';
import {
  durationRule,
  ObservedDuration,
  type ObservedDurationOptions,
} from '../latency/observed-duration.ts';

/** What a hedge asks before it adds load. A `retryBudget` fits, and can be shared with retries. */
export interface HedgeBudget {
  /**
   * A call was answered: it adds its share of an attempt to the budget.
   *
   * @param returned - attempts that it gives back: none
   */
  deposit(returned: number): void;
  /**
   * Takes an attempt from the budget; `false` when not enough is left.
   *
   * @param cost - 1
   */
  withdraw(cost: number): boolean;
  /**
   * An attempt that was granted has not reached the dependency: it was refused or held back by a Temper policy
   * inside, or its call was ended before it began. Without this method, what it took stays spent.
   *
   * @param cost - 1
   */
  refund?(cost: number): void;
}

/** An attempt that is due, as hooks and a computed delay see it. */
export interface HedgeEvent {
  readonly policy: string;
  /** Number of the attempt, from 2. */
  readonly attempt: number;
  /** `operation` of the call's options. */
  readonly operation: string | undefined;
}

/** An attempt that starts, and whether it does so because others are slow or have failed. */
export interface HedgeStart extends HedgeEvent {
  readonly because: 'slow' | 'failed';
}

/** Options of {@link hedge}. */
export interface HedgeOptions {
  /**
   * Names the policy in errors, spans and metrics.
   *
   * @defaultValue 'hedge'
   */
  readonly name?: string;
  /**
   * How long to wait for an attempt before the next one starts beside it, in milliseconds: fixed,
   * computed for each attempt, or a quantile of the recent latencies of first attempts, such as
   * `{ quantile: 0.95, maxMs: 2000 }`. A computed delay that throws, or is not a number >= 0, is
   * logged; then no other attempt starts.
   *
   * @defaultValue { quantile: 0.95, maxMs: 2000 }
   * @throws {RangeError} at construction, unless finite and >= 0
   */
  readonly delayMs?: number | ObservedDurationOptions | ((event: HedgeEvent) => number);
  /**
   * Most attempts per call, the first included.
   *
   * @defaultValue 2
   * @throws {RangeError} at construction, unless an integer from 2 to 100
   */
  readonly maxAttempts?: number;
  /**
   * Attempts beyond the first that each answered call allows, whether they start because an attempt is
   * slow or because it failed. Ten may start in a burst, and one each ten seconds is always allowed. A
   * dependency that is down or slow thus gets little more than the calls themselves. `Infinity` sets no
   * bound. Not used when there is a {@link budget}.
   *
   * @defaultValue 0.1
   * @throws {RangeError} at construction, unless > 0
   */
  readonly maxExtraLoad?: number;
  /**
   * Bounds the attempts beyond the first of many calls together, in place of {@link maxExtraLoad}. Share
   * one with retries, so that both add no more load than it allows.
   *
   * @defaultValue none
   */
  readonly budget?: HedgeBudget;
  /**
   * Whether each answered call adds its share to the budget. Set it to `false` where a retry around or inside
   * this policy uses the same budget, and so adds the share already.
   *
   * @defaultValue true
   */
  readonly deposits?: boolean;
  /**
   * Whether an outcome of one attempt is replaced by another attempt, which then starts at once. Any
   * other outcome ends the call. Not asked about a call that has ended. While other attempts are
   * running, a refusal by a Temper policy inside (an open circuit, a limit) is not asked about either:
   * they are waited for.
   *
   * When all attempts fail, the last value that counts as a failure is returned.
   *
   * @defaultValue `isTransient`: errors that are transient, no values
   */
  readonly shouldHandle?: ShouldHandle;
  /**
   * Called with each value that the caller does not get: of an attempt that was too late, or that
   * counts as a failure by {@link shouldHandle}. What it throws is logged.
   *
   * @defaultValue disposes of a disposable value, and cancels the unread body of a response
   */
  readonly onDiscard?: (value: unknown) => unknown;
  /** Called when an attempt beyond the first starts. What it throws is logged. */
  readonly onHedge?: (event: HedgeStart, call: CallContext) => void;
  /**
   * Which attempts get spans: all, those beyond the first, or none.
   *
   * @defaultValue 'failures'
   */
  readonly spans?: SpanMode;
  /**
   * Where the telemetry of the policy goes, and which attributes its metrics have besides; see
   * `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

type Unset = 'telemetry' | 'budget' | 'shouldHandle' | 'onDiscard' | 'onHedge';

/** The defaults, as the README's table shows them. */
export const HEDGE_DEFAULTS: Defaults<HedgeOptions, Unset> = {
  name: 'hedge',
  delayMs: { quantile: 0.95, maxMs: 2000 },
  maxAttempts: 2,
  maxExtraLoad: 0.1,
  deposits: true,
  spans: DEFAULT_SPANS,
  clock: systemClock,
};

/** Options that were checked, with their defaults filled in. */
export type ResolvedHedgeOptions = Omit<Resolved<HedgeOptions, Unset>, 'delayMs'> & {
  readonly delayMs: number | ObservedDuration | ((event: HedgeEvent) => number);
};

/** Holds the options to their ranges and fills in the defaults. */
export function resolveHedgeOptions(options: HedgeOptions): ResolvedHedgeOptions {
  const callback = typeRule('function');
  const all = resolveOptions<HedgeOptions, Unset>('hedge', options, HEDGE_DEFAULTS, {
    name: nameRule,
    delayMs: delayRule,
    maxAttempts: numberRule({ min: 2, max: 100, integer: true }),
    maxExtraLoad: numberRule({ min: 0, aboveMin: true }),
    budget: methodsRule('deposit', 'withdraw'),
    deposits: typeRule('boolean'),
    shouldHandle: callback,
    onDiscard: callback,
    onHedge: callback,
    spans: oneOfRule(SPAN_MODES),
    telemetry: telemetryRule,
    clock: clockRule,
  });
  const { delayMs, clock } = all;
  return {
    ...all,
    delayMs:
      typeof delayMs === 'object'
        ? new ObservedDuration('hedge: delayMs', delayMs, clock)
        : delayMs,
  };
}

const duration = /* @__PURE__ */ durationRule({ min: 0, infinite: false });

const delayRule: OptionRule = (owner, option, value) => {
  if (typeof value !== 'function') duration(owner, option, value);
};
