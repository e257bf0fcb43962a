import type { TelemetryScope } from '@temper/core';
import {
  byOutcome,
  type Call,
  CallObserver,
  type Counts,
  type Emit,
  Instrumentation,
  policyAttributes,
} from '@temper/core/policy';
import type { RateLimitExceededError } from '../errors.ts';
import { ATTR_COST, METRIC_REQUESTS } from '../request-semconv.ts';
import { refusalAttributes, rejected } from '../telemetry.ts';
import { VERSION } from '../version.ts';
import type { ResolvedThrottleOptions } from './options.ts';
import { METRIC_REJECTION_RATIO } from './semconv.ts';

const telemetry = new Instrumentation({
  name: '@temper/ratelimit',
  version: VERSION,
  metrics: [METRIC_REQUESTS, METRIC_REJECTION_RATIO],
});

const ANSWERS = { ...byOutcome(['allowed']), shed: rejected('shed') };
const REFUSED = byOutcome(['rejected']);

/** Counts the answers of a throttle, and reports the calls that it sheds. */
export class ThrottleObserver {
  readonly counts: Counts<'allowed' | 'shed'>;
  readonly #calls: CallObserver<'rejected'>;

  constructor(policy: { readonly name: string }, options: ResolvedThrottleOptions) {
    const { spans, clock } = options;
    const own = telemetry.of(options.telemetry);
    this.counts = own.counts<'allowed' | 'shed'>(policy, METRIC_REQUESTS, ANSWERS);
    this.#calls = new CallObserver({
      telemetry: own,
      policy: policy.name,
      kind: 'ratelimit',
      spans,
      clock,
      outcomes: REFUSED,
    });
  }

  shed(call: Call, error: RateLimitExceededError): void {
    this.#calls
      .begin(call, { [ATTR_COST.name]: call.cost })
      ?.end('rejected', { ok: false, error }, refusalAttributes(error));
  }
}

interface Shedding {
  readonly name: string;
  /** Share of all calls that is shed now. */
  readonly ratio: number;
}

/** Reads a throttle's ratio at each collection, until disposed of. */
export function observeRatio(policy: Shedding, within: TelemetryScope | undefined): Disposable {
  return telemetry.of(within).observe(policy, readRatio);
}

function readRatio(policy: Shedding, emit: Emit): void {
  emit(METRIC_REJECTION_RATIO, policyAttributes(policy.name), policy.ratio);
}
