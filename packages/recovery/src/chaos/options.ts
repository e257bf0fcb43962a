import {
  type Clock,
  type Random,
  type SpanMode,
  systemClock,
  type TelemetryScope,
} from '@temper/core';
import {
  checkKnown,
  checkNumber,
  checkType,
  clockRule,
  DEFAULT_SPANS,
  type Defaults,
  nameRule,
  type OptionRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  SPAN_MODES,
  show,
  systemRandom,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';

/** Options of {@link chaos}. */
export interface ChaosOptions {
  /**
   * Names the policy in errors, spans and metrics.
   *
   * @defaultValue 'chaos'
   */
  readonly name?: string;
  /**
   * Whether anything is injected: a switch, or a function that is called for every call. What it
   * throws is logged and counts as `false`.
   *
   * @defaultValue false
   */
  readonly enabled?: boolean | (() => boolean);
  /** Waits before the operation is called. @defaultValue none */
  readonly latency?: {
    /** Share of the calls, from 0 to 1. */
    readonly rate: number;
    /**
     * How long to wait, in milliseconds: fixed, or computed for each call. Finite and >= 0. What a
     * function throws is logged; then there is no wait.
     */
    readonly delayMs: number | (() => number);
  };
  /** Fails in place of the operation, which is not called. @defaultValue none */
  readonly fault?: {
    /** Share of the calls, from 0 to 1. */
    readonly rate: number;
    /** Creates what the call rejects with, also asynchronously. @defaultValue a {@link ChaosFaultError} */
    readonly error?: () => unknown;
  };
  /** Answers in place of the operation, which is not called. @defaultValue none */
  readonly result?: {
    /** Share of the calls, from 0 to 1. */
    readonly rate: number;
    /** Creates the answer, also asynchronously. */
    readonly value: () => unknown;
  };
  /**
   * Whether an injection gets a span: `'all'` and `'failures'` mean that it does.
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
  /** @defaultValue `Math.random` */
  readonly random?: Random;
}

type Unset = 'telemetry' | 'latency' | 'fault' | 'result';

/** The defaults, as the README's table shows them. */
export const CHAOS_DEFAULTS: Defaults<ChaosOptions, Unset> = {
  name: 'chaos',
  enabled: false,
  spans: DEFAULT_SPANS,
  clock: systemClock,
  random: systemRandom,
};

/** Options that were checked, with their defaults filled in. */
export type ResolvedChaosOptions = Resolved<ChaosOptions, Unset>;

/** Holds the options to their ranges and fills in the defaults. */
export function resolveChaosOptions(options: ChaosOptions): ResolvedChaosOptions {
  return resolveOptions<ChaosOptions, Unset>('chaos', options, CHAOS_DEFAULTS, {
    name: nameRule,
    enabled: checkEnabled,
    latency: checkLatency,
    fault: checkFault,
    result: checkResult,
    spans: oneOfRule(SPAN_MODES),
    telemetry: telemetryRule,
    clock: clockRule,
    random: typeRule('function'),
  });
}

const checkEnabled: OptionRule = (owner, option, value) => {
  if (typeof value === 'boolean' || typeof value === 'function') return;
  throw new TypeError(`${owner}: ${option} must be a boolean or a function, got ${show(value)}.`);
};

const checkLatency: OptionRule = (owner, option, value) => {
  const { delayMs } = checkPart(owner, option, value, 'delayMs');
  if (typeof delayMs === 'function') return;
  checkNumber(owner, `${option}.delayMs`, delayMs, { min: 0, infinite: false });
};

const checkFault: OptionRule = (owner, option, value) => {
  const { error } = checkPart(owner, option, value, 'error');
  if (error !== undefined) checkType(owner, `${option}.error`, error, 'function');
};

const checkResult: OptionRule = (owner, option, part) => {
  const { value } = checkPart(owner, option, part, 'value');
  checkType(owner, `${option}.value`, value, 'function');
};

function checkPart<K extends string>(
  owner: string,
  option: string,
  value: unknown,
  own: K,
): { readonly [key in K]?: unknown } {
  checkKnown(`${owner}: ${option}`, value, ['rate', own]);
  const { rate } = value as { readonly rate?: unknown };
  checkNumber(owner, `${option}.rate`, rate, { min: 0, max: 1 });
  return value as { readonly [key in K]?: unknown };
}
