import {
  type CallContext,
  type Clock,
  type Outcome,
  type ShouldHandle,
  type SpanMode,
  systemClock,
  type TelemetryScope,
} from '@temper/core';
import {
  checkType,
  clockRule,
  DEFAULT_SPANS,
  type Defaults,
  nameRule,
  numberRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  SPAN_MODES,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';

/** A failed call, as the handler and the hook see it. */
export interface FallbackEvent {
  readonly policy: string;
  /** What the operation failed with: an error, or a value that counts as a failure. */
  readonly outcome: Outcome<unknown>;
  /** `operation` of the call's options. */
  readonly operation: string | undefined;
}

/** Options of {@link fallback}. */
export interface FallbackOptions {
  /**
   * Names the policy in errors, spans and metrics.
   *
   * @defaultValue 'fallback'
   */
  readonly name?: string;
  /**
   * Answers in place of an operation that failed, with something that the operation could have
   * returned. The call's signal and deadline apply to it too. When it fails the call rejects with
   * `FallbackFailedError`, which has both errors.
   *
   * @throws {TypeError} at construction, unless it is a function
   */
  readonly handler: (event: FallbackEvent, call: CallContext) => unknown;
  /**
   * Whether the handler answers for an outcome of the operation. Not asked about an error of a call
   * that has ended: nobody would get the answer.
   *
   * @defaultValue `isFailure`: all errors but the caller's own mistakes, no values
   */
  readonly shouldHandle?: ShouldHandle;
  /**
   * Time that is kept for the handler, in milliseconds: the operation is ended this long before the
   * deadline of the call (its `timeoutMs`, or a timeout around this policy), and the handler may answer
   * in the time that is left. By default the deadline ends the call, and the handler is not called.
   *
   * @defaultValue none
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly reserveMs?: number;
  /**
   * Called before the handler. What it throws is logged.
   *
   * @defaultValue none
   */
  readonly onFallback?: (event: FallbackEvent, call: CallContext) => void;
  /**
   * Which calls get spans: all, those that the handler was called for, or none.
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

type Unset = 'telemetry' | 'handler' | 'shouldHandle' | 'reserveMs' | 'onFallback';

/** The defaults, as the README's table shows them. */
export const FALLBACK_DEFAULTS: Defaults<FallbackOptions, Unset> = {
  name: 'fallback',
  spans: DEFAULT_SPANS,
  clock: systemClock,
};

/** Options that were checked, with their defaults filled in. */
export type ResolvedFallbackOptions = Resolved<FallbackOptions, Unset> &
  Pick<FallbackOptions, 'handler'>;

/** Holds the options to their types and fills in the defaults. */
export function resolveFallbackOptions(options: FallbackOptions): ResolvedFallbackOptions {
  const callback = typeRule('function');
  const all = resolveOptions<FallbackOptions, Unset>('fallback', options, FALLBACK_DEFAULTS, {
    name: nameRule,
    handler: callback,
    shouldHandle: callback,
    reserveMs: numberRule({ min: 0, aboveMin: true, infinite: false }),
    onFallback: callback,
    spans: oneOfRule(SPAN_MODES),
    telemetry: telemetryRule,
    clock: clockRule,
  });
  checkType('fallback', 'handler', all.handler, 'function');
  return all as ResolvedFallbackOptions;
}
