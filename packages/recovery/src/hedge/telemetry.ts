import type { Outcome } from '@temper/core';
import {
  byOutcome,
  type Call,
  type Counts,
  type Emit,
  type GuardedSpan,
  type Instrumentation,
  policyAttributes,
} from '@temper/core/policy';
import {
  ATTR_HEDGE_ATTEMPT,
  HEDGE_ATTEMPT_OUTCOMES,
  HEDGE_OUTCOMES,
  type HedgeAttemptOutcome,
  type HedgeOutcome,
  METRIC_HEDGE_ATTEMPTS,
  METRIC_HEDGE_CALLS,
  METRIC_HEDGE_CUT_OFF,
  METRIC_HEDGE_DELAY,
} from '../semconv.ts';
import { eventSpan, instrumentation } from '../telemetry.ts';
import type { ResolvedHedgeOptions } from './options.ts';

const telemetry = instrumentation([
  METRIC_HEDGE_CALLS,
  METRIC_HEDGE_ATTEMPTS,
  METRIC_HEDGE_DELAY,
  METRIC_HEDGE_CUT_OFF,
]);
const OUTCOMES = byOutcome(HEDGE_OUTCOMES);
const ATTEMPTS = byOutcome(HEDGE_ATTEMPT_OUTCOMES);

/** What is read from a hedge at each collection. */
export interface HedgeLevel {
  readonly name: string;
  /** In milliseconds; `undefined` when the delay is computed per attempt. */
  readonly delayMs: number | undefined;
  /** `undefined` unless the delay follows the latencies. */
  readonly cutOffShare: number | undefined;
}

/** What a hedge reports to OpenTelemetry. */
export class HedgeObserver implements Disposable {
  readonly calls: Counts<HedgeOutcome>;
  readonly attempts: Counts<HedgeAttemptOutcome>;
  readonly #telemetry: Instrumentation;
  readonly #options: ResolvedHedgeOptions;
  readonly #level: Disposable;

  constructor(policy: HedgeLevel, options: ResolvedHedgeOptions) {
    this.#telemetry = telemetry.of(options.telemetry);
    this.calls = this.#telemetry.counts(policy, METRIC_HEDGE_CALLS, OUTCOMES);
    this.attempts = this.#telemetry.counts(policy, METRIC_HEDGE_ATTEMPTS, ATTEMPTS);
    this.#options = options;
    this.#level = this.#telemetry.observe(policy, readDelay);
  }

  /** @returns the span of an attempt; `undefined` when it gets none */
  begin(attempt: number, call: Call): GuardedSpan | undefined {
    const { name: policy, spans, clock } = this.#options;
    if (!this.#telemetry.live.traces || spans === 'none') return undefined;
    if (spans === 'failures' && attempt === 1) return undefined;
    const owner = { telemetry: this.#telemetry, policy, kind: 'hedge' };
    return eventSpan(owner, call, { [ATTR_HEDGE_ATTEMPT.name]: attempt }, clock.now());
  }

  /** @param failure - what the attempt failed with, unless it succeeded or lost */
  end(span: GuardedSpan | undefined, failure?: Outcome<unknown>): void {
    if (span === undefined) return;
    if (failure !== undefined) span.fail(failure);
    span.end(this.#options.clock.now());
  }

  [Symbol.dispose](): void {
    this.#level[Symbol.dispose]();
  }
}

function readDelay({ name, delayMs, cutOffShare }: HedgeLevel, emit: Emit): void {
  if (delayMs !== undefined) emit(METRIC_HEDGE_DELAY, policyAttributes(name), delayMs / 1000);
  if (cutOffShare !== undefined) emit(METRIC_HEDGE_CUT_OFF, policyAttributes(name), cutOffShare);
}
