import {
  type Clock,
  checkClock,
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  systemClock,
} from '@temper/core';
import { ObservedDuration, type ObservedDurationOptions } from '../latency/observed-duration.ts';
import { EVENT_SPANS, type EventSpans } from '../telemetry.ts';

/** What hedges ask before they add load. A `retryBudget` fits, and can be shared with retries. */
export interface HedgeBudget {
  /** A call begins: it earns its share. */
  deposit(): void;
  /** Takes one try out; false when there is none left. */
  withdraw(): boolean;
}

/** What a hedge tells to hooks and to a computed delay. */
export interface HedgeEvent {
  readonly policy: string;
  /** The try that is due, from 2. */
  readonly attempt: number;
  /** {@link ExecuteOptions.operation} of the call. */
  readonly operation: string | undefined;
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
   * How long a try is waited for before the next one begins beside it, in milliseconds: fixed, or
   * computed for each try, or a quantile of the recent latencies of successful tries, such as
   * `{ quantile: 0.95, maxMs: 2000 }`. A computed delay that throws, or is no number >= 0, means that
   * no other try begins.
   *
   * @defaultValue { quantile: 0.95, maxMs: 2000 }
   * @throws {RangeError} at construction, unless finite and >= 0
   */
  readonly delayMs?: number | ObservedDurationOptions | ((event: HedgeEvent) => number);
  /**
   * Most tries per call, the first included.
   *
   * @defaultValue 2
   * @throws {RangeError} at construction, unless an integer from 2 to 100
   */
  readonly maxAttempts?: number;
  /**
   * Bounds the tries beyond the first, of many calls together. Share one with retries, so that both
   * together add no more load than it allows.
   *
   * @defaultValue none
   */
  readonly budget?: HedgeBudget;
  /**
   * Whether each call earns its share in the budget. Switch it off where a retry around or inside
   * this policy uses the same budget, and so earns it already.
   *
   * @defaultValue true
   */
  readonly deposits?: boolean;
  /**
   * Whether an error of one try leaves hope for another, which then begins at once. Any other error
   * ends the call. A predicate that throws is reported, and has said no.
   *
   * @defaultValue transient errors, as core's `classify` sees them
   */
  readonly isHedgeable?: (error: unknown) => boolean;
  /**
   * Whether a returned value means failure. When all tries fail the last such value is returned.
   *
   * @defaultValue no value does
   */
  readonly isFailure?: (value: unknown) => boolean;
  /**
   * Called with each value that nobody will see: of a try that answered too late, or failed by
   * {@link isFailure}. What it throws is reported, no more.
   *
   * @defaultValue disposes of a disposable value, and cancels the body of a `Response`
   */
  readonly onDiscard?: (value: unknown) => unknown;
  /** Called when a try beyond the first begins. What it throws is reported, no more. */
  readonly onHedge?: (event: HedgeEvent & { readonly because: 'slow' | 'failed' }) => void;
  /**
   * Whether tries beyond the first get spans.
   *
   * @defaultValue 'failures'
   */
  readonly spans?: EventSpans;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
}

/** The defaults, as the README's table shows them. */
export const HEDGE_DEFAULTS: {
  readonly name: 'hedge';
  readonly delayMs: { readonly quantile: 0.95; readonly maxMs: 2000 };
  readonly maxAttempts: 2;
  readonly deposits: true;
  readonly spans: 'failures';
} = {
  name: 'hedge',
  delayMs: { quantile: 0.95, maxMs: 2000 },
  maxAttempts: 2,
  deposits: true,
  spans: 'failures',
};

/** Checked options. */
export interface ResolvedHedgeOptions
  extends Omit<Required<HedgeOptions>, 'delayMs' | 'budget' | Hook> {
  readonly delayMs: number | ObservedDuration | ((event: HedgeEvent) => number);
  readonly budget: HedgeBudget | undefined;
  readonly isHedgeable: HedgeOptions['isHedgeable'];
  readonly isFailure: HedgeOptions['isFailure'];
  readonly onDiscard: HedgeOptions['onDiscard'];
  readonly onHedge: HedgeOptions['onHedge'];
}

type Hook = (typeof HOOKS)[number];
const HOOKS = ['isHedgeable', 'isFailure', 'onDiscard', 'onHedge'] as const;

export function resolveHedgeOptions(options: HedgeOptions): ResolvedHedgeOptions {
  const owner = 'hedge';
  checkKnown(owner, options, [...Object.keys(HEDGE_DEFAULTS), ...HOOKS, 'budget', 'clock']);
  const clock = checkClock(owner, options.clock ?? systemClock);
  const deposits = options.deposits ?? HEDGE_DEFAULTS.deposits;
  checkType(owner, 'deposits', deposits, 'boolean');
  for (const hook of HOOKS) {
    if (options[hook] !== undefined) checkType(owner, hook, options[hook], 'function');
  }
  const { budget } = options;
  if (budget !== undefined) {
    checkType(owner, 'budget', budget, 'object');
    checkType(owner, 'budget.deposit', budget.deposit, 'function');
    checkType(owner, 'budget.withdraw', budget.withdraw, 'function');
  }
  return {
    name: checkName(owner, options.name ?? HEDGE_DEFAULTS.name),
    delayMs: resolveDelay(owner, options.delayMs ?? HEDGE_DEFAULTS.delayMs, clock),
    maxAttempts: checkNumber(owner, 'maxAttempts', options.maxAttempts ?? 2, {
      min: 2,
      max: 100,
      integer: true,
    }),
    budget,
    deposits,
    isHedgeable: options.isHedgeable,
    isFailure: options.isFailure,
    onDiscard: options.onDiscard,
    onHedge: options.onHedge,
    spans: checkOneOf(owner, 'spans', options.spans ?? HEDGE_DEFAULTS.spans, EVENT_SPANS),
    clock,
  };
}

function resolveDelay(
  owner: string,
  given: NonNullable<HedgeOptions['delayMs']>,
  clock: Clock,
): ResolvedHedgeOptions['delayMs'] {
  if (typeof given === 'function') return given;
  if (typeof given === 'object' && given !== null) {
    return new ObservedDuration(`${owner}: delayMs`, given, clock);
  }
  return checkNumber(owner, 'delayMs', given, { min: 0, infinite: false });
}
