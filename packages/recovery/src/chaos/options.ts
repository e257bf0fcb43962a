import {
  type Clock,
  checkClock,
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  type Random,
  show,
  systemClock,
  systemRandom,
} from '@temper/core';
import { EVENT_SPANS, type EventSpans } from '../telemetry.ts';

/** Options of {@link chaos}. */
export interface ChaosOptions {
  /**
   * Names the policy in errors, spans and metrics.
   *
   * @defaultValue 'chaos'
   */
  readonly name?: string;
  /**
   * Whether anything is injected at all: a switch, or a function that is asked on every call (and has
   * said no when it throws).
   *
   * @defaultValue false
   */
  readonly enabled?: boolean | (() => boolean);
  /** Waits before the operation is called. @defaultValue none */
  readonly latency?: {
    /** Share of the calls, from 0 to 1. */
    readonly rate: number;
    /** How long, in milliseconds: fixed, or computed each time. Finite and >= 0. */
    readonly delayMs: number | (() => number);
  };
  /** Fails in place of the operation, which is not called. @defaultValue none */
  readonly fault?: {
    /** Share of the calls, from 0 to 1. */
    readonly rate: number;
    /** Makes what the call rejects with. @defaultValue a {@link ChaosFaultError} */
    readonly error?: () => unknown;
  };
  /** Answers in place of the operation, which is not called. @defaultValue none */
  readonly result?: {
    /** Share of the calls, from 0 to 1. */
    readonly rate: number;
    /** Makes the answer. */
    readonly value: () => unknown;
  };
  /**
   * Whether an injection gets a span.
   *
   * @defaultValue 'failures'
   */
  readonly spans?: EventSpans;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
  /** @defaultValue `Math.random` */
  readonly random?: Random;
}

/** The defaults, as the README's table shows them. */
export const CHAOS_DEFAULTS: {
  readonly name: 'chaos';
  readonly enabled: false;
  readonly spans: 'failures';
} = { name: 'chaos', enabled: false, spans: 'failures' };

/** Checked options. */
export interface ResolvedChaosOptions
  extends Required<Omit<ChaosOptions, 'latency' | 'fault' | 'result'>>,
    Pick<ChaosOptions, 'latency' | 'fault' | 'result'> {}

export function resolveChaosOptions(options: ChaosOptions): ResolvedChaosOptions {
  const owner = 'chaos';
  const known = [...Object.keys(CHAOS_DEFAULTS), 'latency', 'fault', 'result', 'clock', 'random'];
  checkKnown(owner, options, known);
  const enabled: unknown = options.enabled ?? CHAOS_DEFAULTS.enabled;
  if (typeof enabled !== 'boolean' && typeof enabled !== 'function') {
    throw new TypeError(`chaos: enabled must be a boolean or a function, got ${show(enabled)}.`);
  }
  const { latency, fault, result } = options;
  if (latency !== undefined) {
    checkPart('latency', latency, ['rate', 'delayMs']);
    if (typeof latency.delayMs !== 'function') {
      checkNumber(owner, 'latency.delayMs', latency.delayMs, { min: 0, infinite: false });
    }
  }
  if (fault !== undefined) {
    checkPart('fault', fault, ['rate', 'error']);
    if (fault.error !== undefined) checkType(owner, 'fault.error', fault.error, 'function');
  }
  if (result !== undefined) {
    checkPart('result', result, ['rate', 'value']);
    checkType(owner, 'result.value', result.value, 'function');
  }
  return {
    name: checkName(owner, options.name ?? CHAOS_DEFAULTS.name),
    enabled: enabled as boolean | (() => boolean),
    ...(latency === undefined ? {} : { latency }),
    ...(fault === undefined ? {} : { fault }),
    ...(result === undefined ? {} : { result }),
    spans: checkOneOf(owner, 'spans', options.spans ?? CHAOS_DEFAULTS.spans, EVENT_SPANS),
    clock: checkClock(owner, options.clock ?? systemClock),
    random: options.random ?? systemRandom,
  };
}

function checkPart(part: string, value: { readonly rate: number }, known: readonly string[]): void {
  checkKnown(`chaos: ${part}`, value, known);
  checkNumber('chaos', `${part}.rate`, value.rate, { min: 0, max: 1 });
}
