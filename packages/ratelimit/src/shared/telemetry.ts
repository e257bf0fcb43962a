import {
  ATTR_OUTCOME,
  by,
  byOutcome,
  type Call,
  type CallObservation,
  CallObserver,
  type Counts,
  type ErrorTypeCells,
  Instrumentation,
  type Variants,
} from '@temper/core/policy';
import { RateLimitExceededError, type RejectionReason } from '../errors.ts';
import type { RequestCounts } from '../limiter.ts';
import { Refusals } from '../refusals.ts';
import {
  ATTR_COST,
  METRIC_REQUESTS,
  METRIC_WAIT_DURATION,
  REQUEST_METRICS,
  type RequestOutcome,
} from '../request-semconv.ts';
import { refusalAttributes, rejected } from '../telemetry.ts';
import { VERSION } from '../version.ts';
import type { ResolvedQueueOptions } from '../wait/options.ts';
import { StoreUnavailableError } from './errors.ts';
import type { StoreFailureMode } from './options.ts';
import { ATTR_FALLBACK, METRIC_STORE_ERRORS, METRIC_STORE_FALLBACKS } from './semconv.ts';

const telemetry = new Instrumentation({
  name: '@temper/ratelimit',
  version: VERSION,
  metrics: [...REQUEST_METRICS, METRIC_STORE_ERRORS, METRIC_STORE_FALLBACKS],
});

/** How a call ends that does not pass at once. */
type Ending = Exclude<RequestOutcome, 'allowed'>;
const ENDINGS: Variants<Ending> = byOutcome(['delayed', 'rejected', 'aborted', 'unavailable']);

type Answer =
  | Exclude<RequestOutcome, 'rejected'>
  | Exclude<RejectionReason, 'shed' | 'calls-itself'>;
const ANSWERS: Variants<Answer> = {
  ...byOutcome(['allowed', 'delayed', 'aborted', 'unavailable']),
  limit: rejected('limit'),
  'queue-full': rejected('queue-full'),
  deadline: rejected('deadline'),
  cost: rejected('cost'),
  keys: rejected('keys'),
};

const FALLBACKS: Variants<StoreFailureMode> = by(ATTR_FALLBACK.name, ['local', 'open', 'closed']);

/** What a shared limiter has answered since it was created, and the state of its store. */
export interface SharedStats extends RequestCounts {
  /** Refused with {@link StoreUnavailableError}. */
  readonly unavailable: number;
  /** Calls that wait for their turn. */
  readonly queued: number;
  /** Whether the store answered the last request. */
  readonly storeAvailable: boolean;
  /** Requests that the store did not answer. */
  readonly storeErrors: number;
  /** Calls decided without the store, by what decided. */
  readonly fallbacks: Readonly<Record<StoreFailureMode, number>>;
  /** Processes that share the limit, as far as is known. */
  readonly nodes: number;
}

/** A call whose answer is not known yet. */
export interface OpenCall {
  /** On the clock's monotonic scale, in milliseconds. */
  readonly since: number;
  /** Absent while no span would be recorded. */
  readonly observed: CallObservation<Ending> | undefined;
}

/** Counts the answers of a shared limiter, and reports them to OpenTelemetry. */
export class SharedObserver {
  readonly #options: ResolvedQueueOptions;
  readonly #telemetry: Instrumentation;
  /** Who hears of refusals. */
  readonly refusals: Refusals;
  readonly #counts: Counts<Answer>;
  readonly #fallbacks: Counts<StoreFailureMode>;
  readonly #errors: ErrorTypeCells;
  readonly #calls: CallObserver<Ending>;
  #storeErrors = 0;
  #storeAvailable = true;

  constructor(policy: { readonly name: string }, options: ResolvedQueueOptions) {
    const { name } = policy;
    this.#telemetry = telemetry.of(options.telemetry);
    this.#options = options;
    this.refusals = new Refusals(name, options.onReject);
    this.#counts = this.#telemetry.counts(policy, METRIC_REQUESTS, ANSWERS);
    this.#fallbacks = this.#telemetry.counts(policy, METRIC_STORE_FALLBACKS, FALLBACKS);
    this.#errors = this.#telemetry.errorTypes(METRIC_STORE_ERRORS, name);
    this.#calls = new CallObserver({
      telemetry: this.#telemetry,
      policy: name,
      kind: 'ratelimit',
      // Whether a call waits is known only after the store's answer: no span is created before it.
      spans: options.spans === 'none' ? 'none' : 'failures',
      clock: options.clock,
      outcomes: ENDINGS,
    });
  }

  begin(call: Call, cost: number): OpenCall {
    const observed = this.#calls.begin(call, { [ATTR_COST.name]: cost });
    return { since: this.#options.clock.monotonic(), observed };
  }

  /** A call by hand or under the policy that passed. */
  passed(open: OpenCall, waited: boolean): void {
    if (!waited) {
      this.#counts.allowed++;
      return;
    }
    this.#counts.delayed++;
    this.#record('delayed', open);
    if (this.#options.spans === 'all') open.observed?.span();
    open.observed?.end('delayed');
  }

  /** A call by hand or under the policy that did not pass. Calls `onReject` for a refusal. */
  failed(open: OpenCall, error: unknown): void {
    const ending = this.failedAtOnce(error);
    this.#record(ending, open);
    if (ending === 'aborted') {
      if (this.#options.spans === 'all') open.observed?.span();
      open.observed?.end(ending);
    } else if (error instanceof RateLimitExceededError) {
      open.observed?.end(ending, { ok: false, error }, refusalAttributes(error));
      this.refusals.tell(error);
    } else {
      open.observed?.end(ending, { ok: false, error });
    }
  }

  /** Counts the answer to a call that does not wait. */
  answered(allowed: boolean): void {
    this.#counts[allowed ? 'allowed' : 'limit']++;
  }

  /** Counts the answer of this limit to a call that asks several. */
  countOf(answer: 'allowed' | 'delayed' | RateLimitExceededError): void {
    if (typeof answer === 'string') this.#counts[answer]++;
    else this.failedAtOnce(answer);
  }

  /** Counts the error of a call that does not wait. @returns how the call ended */
  failedAtOnce(error: unknown): Ending {
    if (error instanceof RateLimitExceededError) {
      this.#counts[error.reason as Exclude<RejectionReason, 'shed' | 'calls-itself'>]++;
      return 'rejected';
    }
    const ending = error instanceof StoreUnavailableError ? 'unavailable' : 'aborted';
    this.#counts[ending]++;
    return ending;
  }

  storeAnswered(): void {
    this.#storeAvailable = true;
  }

  storeFailed(error: unknown): void {
    this.#storeErrors++;
    this.#storeAvailable = false;
    this.#errors.of(error).value++;
  }

  /** Counts a call that is decided without the store. */
  fellBack(mode: StoreFailureMode): void {
    this.#fallbacks[mode]++;
  }

  #record(outcome: Ending, { since }: OpenCall): void {
    if (!this.#telemetry.live.metrics) return;
    const ms = this.#options.clock.monotonic() - since;
    // A refusal at once is not a wait.
    if (ms === 0 && outcome !== 'delayed') return;
    this.#telemetry
      .histogram(METRIC_WAIT_DURATION, this.#options.name, { [ATTR_OUTCOME]: outcome })
      .record(ms / 1000);
  }

  stats(queued: number, nodes: number): SharedStats {
    const { allowed, delayed, aborted, unavailable, limit, deadline, cost, keys } = this.#counts;
    return {
      allowed,
      delayed,
      rejected: limit + this.#counts['queue-full'] + deadline + cost + keys,
      aborted,
      unavailable,
      queued,
      storeAvailable: this.#storeAvailable,
      storeErrors: this.#storeErrors,
      fallbacks: { ...this.#fallbacks },
      nodes,
    };
  }
}
