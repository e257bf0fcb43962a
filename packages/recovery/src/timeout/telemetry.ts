import {
  byOutcome,
  type Call,
  type CallObservation,
  CallObserver,
  type Counts,
  type Emit,
  type Instrumentation,
  policyAttributes,
} from '@temper/core/policy';
import {
  ATTR_TIMEOUT_LIMIT,
  METRIC_TIMEOUT_CALLS,
  METRIC_TIMEOUT_CUT_OFF,
  METRIC_TIMEOUT_LIMIT,
  TIMEOUT_OUTCOMES,
  type TimeoutOutcome,
} from '../semconv.ts';
import { instrumentation } from '../telemetry.ts';
import type { ResolvedTimeoutOptions } from './options.ts';

const telemetry = instrumentation([
  METRIC_TIMEOUT_CALLS,
  METRIC_TIMEOUT_LIMIT,
  METRIC_TIMEOUT_CUT_OFF,
]);
const OUTCOMES = byOutcome(TIMEOUT_OUTCOMES);

interface TimeoutLevel {
  readonly name: string;
  readonly timeoutMs: number;
  /** `undefined` when the timeout is fixed. */
  readonly cutOffShare: number | undefined;
}

/** What a timeout policy reports to OpenTelemetry. */
export class TimeoutObserver implements Disposable {
  readonly #policy: TimeoutLevel;
  readonly #options: ResolvedTimeoutOptions;
  readonly #telemetry: Instrumentation;
  readonly #level: Disposable;
  // Created when they are first needed: an idle policy is to be small.
  #calls: Counts<TimeoutOutcome> | undefined;
  #spans: CallObserver<TimeoutOutcome> | undefined;

  constructor(policy: TimeoutLevel, options: ResolvedTimeoutOptions) {
    this.#policy = policy;
    this.#options = options;
    this.#telemetry = telemetry.of(options.telemetry);
    this.#level = this.#telemetry.observe(policy, readLimit);
  }

  get calls(): Counts<TimeoutOutcome> {
    this.#calls ??= this.#telemetry.counts(this.#policy, METRIC_TIMEOUT_CALLS, OUTCOMES);
    return this.#calls;
  }

  /** @returns `undefined` while nobody watches */
  begin(call: Call, timeoutMs: number): CallObservation<TimeoutOutcome> | undefined {
    if (!this.#telemetry.live.traces) return undefined;
    const { name, spans, clock } = this.#options;
    this.#spans ??= new CallObserver({
      telemetry: this.#telemetry,
      policy: name,
      kind: 'timeout',
      spans,
      clock,
      outcomes: OUTCOMES,
    });
    return this.#spans.begin(call, { [ATTR_TIMEOUT_LIMIT.name]: timeoutMs / 1000 });
  }

  [Symbol.dispose](): void {
    this.#level[Symbol.dispose]();
  }
}

function readLimit({ name, timeoutMs, cutOffShare }: TimeoutLevel, emit: Emit): void {
  emit(METRIC_TIMEOUT_LIMIT, policyAttributes(name), timeoutMs / 1000);
  if (cutOffShare !== undefined) emit(METRIC_TIMEOUT_CUT_OFF, policyAttributes(name), cutOffShare);
}
