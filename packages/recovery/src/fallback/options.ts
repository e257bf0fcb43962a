import {
  type Clock,
  checkClock,
  checkKnown,
  checkName,
  checkOneOf,
  checkType,
  type ExecutionContext,
  systemClock,
} from '@temper/core';
import { EVENT_SPANS, type EventSpans } from '../telemetry.ts';

/** What a fallback is told. */
export interface FallbackEvent {
  readonly policy: string;
  /** What the operation failed with: an error, or a value that means failure. */
  readonly failure:
    | { readonly ok: false; readonly error: unknown }
    | { readonly ok: true; readonly value: unknown };
  /** {@link ExecuteOptions.operation} of the call. */
  readonly operation: string | undefined;
  /** The call's signal and deadline, which hold for the fallback too. */
  readonly context: ExecutionContext;
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
   * returned. When it fails too the call rejects with {@link FallbackFailedError}, which keeps both
   * errors. Not asked when the call was aborted.
   */
  readonly handler: (event: FallbackEvent) => unknown;
  /**
   * Whether the fallback answers for this error. A predicate that throws is reported, and has said no.
   *
   * @defaultValue every error
   */
  readonly isHandled?: (error: unknown) => boolean;
  /**
   * Whether a returned value means failure, and the fallback answers for it.
   *
   * @defaultValue no value does
   */
  readonly isFailure?: (value: unknown) => boolean;
  /** Called when the fallback is asked. What it throws is reported, no more. */
  readonly onFallback?: (event: FallbackEvent) => void;
  /**
   * Whether the fallback at work gets a span.
   *
   * @defaultValue 'failures'
   */
  readonly spans?: EventSpans;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
}

/** The defaults, as the README's table shows them. */
export const FALLBACK_DEFAULTS: { readonly name: 'fallback'; readonly spans: 'failures' } = {
  name: 'fallback',
  spans: 'failures',
};

/** Checked options. */
export interface ResolvedFallbackOptions {
  readonly name: string;
  readonly handler: FallbackOptions['handler'];
  readonly isHandled: FallbackOptions['isHandled'];
  readonly isFailure: FallbackOptions['isFailure'];
  readonly onFallback: FallbackOptions['onFallback'];
  readonly spans: EventSpans;
  readonly clock: Clock;
}

const HOOKS = ['isHandled', 'isFailure', 'onFallback'] as const;

export function resolveFallbackOptions(options: FallbackOptions): ResolvedFallbackOptions {
  const owner = 'fallback';
  checkKnown(owner, options, ['name', 'handler', ...HOOKS, 'spans', 'clock']);
  checkType(owner, 'handler', options.handler, 'function');
  for (const hook of HOOKS) {
    if (options[hook] !== undefined) checkType(owner, hook, options[hook], 'function');
  }
  return {
    name: checkName(owner, options.name ?? FALLBACK_DEFAULTS.name),
    handler: options.handler,
    isHandled: options.isHandled,
    isFailure: options.isFailure,
    onFallback: options.onFallback,
    spans: checkOneOf(owner, 'spans', options.spans ?? FALLBACK_DEFAULTS.spans, EVENT_SPANS),
    clock: checkClock(owner, options.clock ?? systemClock),
  };
}
