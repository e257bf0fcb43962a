import {
  type CallContext,
  notify,
  type Operation,
  OperationTimeoutError,
  type Policy,
  PolicyBase,
  type PolicyDescription,
  runWithTimeout,
  type TimeoutObserver,
  TimeoutQueue,
} from '@temper/core';
import { DelayQueues } from '../latency/delay-queues.ts';
import type { ObservedDuration } from '../latency/observed-duration.ts';
import {
  ATTR_TIMEOUT_LIMIT,
  METRIC_TIMEOUT_CALLS,
  METRIC_TIMEOUT_LIMIT,
  TIMEOUT_OUTCOMES,
  type TimeoutOutcome,
} from '../semconv.ts';
import {
  at,
  endFailed,
  live,
  observe,
  onListenerError,
  openSpan,
  originOf,
  outcomeCells,
  policyAttributes,
} from '../telemetry.ts';
import {
  type ResolvedTimeoutOptions,
  resolveTimeoutOptions,
  type TimeoutOptions,
} from './options.ts';

/** What a timeout has done since it was made. */
export interface TimeoutStats {
  readonly calls: Readonly<Record<TimeoutOutcome, number>>;
  /** What a call is given at present, in milliseconds. */
  readonly timeoutMs: number;
}

/** A timeout. */
export interface TimeoutPolicy extends Policy {
  /** What a call is given at present, in milliseconds. */
  readonly timeoutMs: number;
  stats(): TimeoutStats;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
}

class Timeout extends PolicyBase implements TimeoutPolicy {
  readonly #options: ResolvedTimeoutOptions;
  readonly #observed: ObservedDuration | undefined;
  readonly #fixed: TimeoutQueue | undefined;
  readonly #queues: DelayQueues;
  readonly #cells: ReturnType<typeof outcomeCells<TimeoutOutcome>>;
  readonly #calls: Record<TimeoutOutcome, number> = { success: 0, failure: 0, timeout: 0 };
  readonly #gauge: Disposable;
  readonly #inTime: TimeoutObserver;

  constructor(options: ResolvedTimeoutOptions) {
    super(options.name, options.clock);
    this.#options = options;
    this.#queues = new DelayQueues(options.clock);
    if (typeof options.timeoutMs === 'number') {
      this.#fixed = new TimeoutQueue(options.clock, options.timeoutMs);
    } else {
      this.#observed = options.timeoutMs;
    }
    this.#cells = outcomeCells(METRIC_TIMEOUT_CALLS, options.name, TIMEOUT_OUTCOMES);
    this.#inTime = { inTime: (ok) => this.#count(ok ? 'success' : 'failure') };
    this.#gauge = observe<Timeout>(this, (owner, emit) => {
      emit(METRIC_TIMEOUT_LIMIT, policyAttributes(owner.name), owner.timeoutMs / 1000);
    });
  }

  get timeoutMs(): number {
    return this.#fixed?.durationMs ?? (this.#observed as ObservedDuration).current();
  }

  runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    const queue = this.#fixed ?? this.#queues.of(this.timeoutMs);
    const origin = live.traces ? originOf(this.#options.spans) : undefined;
    const giveUp = (): Error => {
      this.#count('timeout');
      const timeoutMs = queue.durationMs;
      // It would have taken at least so long: without this the limit could never grow again.
      this.#observed?.record(timeoutMs);
      const error = new OperationTimeoutError(this.name, timeoutMs);
      if (origin !== undefined) {
        const now = this.clock.now();
        const limit = { [ATTR_TIMEOUT_LIMIT.name]: timeoutMs / 1000 };
        const start = now - timeoutMs;
        const span = openSpan(`timeout ${this.name}`, this.name, context, start, limit, origin);
        endFailed(span, error, now);
      }
      const { operation: what } = context;
      const event = { policy: this.name, timeoutMs, operation: what };
      at(origin, () => notify(this.#options.onTimeout, event, onListenerError));
      return error;
    };
    const observer = this.#observed === undefined ? this.#inTime : this.#timed(this.#observed);
    return runWithTimeout(operation, context, queue, giveUp, observer);
  }

  /** Also tells the observed duration how long a call took that succeeded in time. */
  #timed(observed: ObservedDuration): TimeoutObserver {
    const startedAt = this.clock.monotonic();
    return {
      inTime: (ok) => {
        // A failure says little of how long an answer takes: a refused connection is quick.
        if (ok) observed.record(this.clock.monotonic() - startedAt);
        this.#inTime.inTime(ok);
      },
    };
  }

  #count(outcome: TimeoutOutcome): void {
    this.#calls[outcome]++;
    this.#cells[outcome].value++;
  }

  override describe(): PolicyDescription {
    return { kind: 'timeout', timeoutMs: this.#fixed?.durationMs };
  }

  stats(): TimeoutStats {
    return { calls: { ...this.#calls }, timeoutMs: this.timeoutMs };
  }

  [Symbol.dispose](): void {
    this.#gauge[Symbol.dispose]();
  }
}

/**
 * Makes a policy that gives up on what takes too long: its signal aborts, and the call rejects with
 * `OperationTimeoutError` at once. Timeouts of one policy share one timer.
 *
 * A retry inside a timeout knows by the deadline how much time is left, and does not wait in vain.
 *
 * @throws {TypeError | RangeError} at construction, when an option is unknown or out of range
 */
export function timeout(options: TimeoutOptions = {}): TimeoutPolicy {
  return new Timeout(resolveTimeoutOptions(options));
}
