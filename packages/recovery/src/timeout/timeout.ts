import { type CallContext, type Operation, OperationTimeoutError, type Policy } from '@temper/core';
import {
  type Call,
  type CallObservation,
  Listeners,
  PolicyBase,
  type PolicyDescription,
  type TimeoutObserver as RunObserver,
  runWithTimeout,
  TimeoutQueue,
} from '@temper/core/policy';
import { DelayQueues } from '../latency/delay-queues.ts';
import type { ObservedDuration } from '../latency/observed-duration.ts';
import type { TimeoutOutcome } from '../semconv.ts';
import {
  type ResolvedTimeoutOptions,
  resolveTimeoutOptions,
  type TimeoutEvent,
  type TimeoutOptions,
} from './options.ts';
import { TimeoutObserver } from './telemetry.ts';

/** What a timeout policy has done since it was created. */
export interface TimeoutStats {
  readonly calls: Readonly<Record<TimeoutOutcome, number>>;
  /** Present timeout, in milliseconds. */
  readonly timeoutMs: number;
  /**
   * Share of the observed calls that were cut off, from 0 to 1; `undefined` when the timeout is fixed.
   */
  readonly cutOffShare: number | undefined;
}

/** A timeout policy. */
export interface TimeoutPolicy extends Policy {
  /** Present timeout, in milliseconds. */
  readonly timeoutMs: number;
  /** Adds a listener as the option `onTimeout`, for calls that begin from now on; disposing of the result removes it. */
  onTimeout(listener: (event: TimeoutEvent, call: CallContext) => unknown): Disposable;
  stats(): TimeoutStats;
  /** What composers should know of this policy. */
  describe(): PolicyDescription;
}

class Timeout extends PolicyBase implements TimeoutPolicy {
  /** Made for the first listener: most policies have none. */
  #listeners: Listeners<TimeoutEvent, [CallContext]> | undefined;
  /** Of a timeout that follows the observed durations. */
  readonly #queues: DelayQueues | undefined;
  readonly #fixed: TimeoutQueue | undefined;
  readonly #observed: ObservedDuration | undefined;
  readonly #observer: TimeoutObserver;

  constructor(options: ResolvedTimeoutOptions) {
    super(options.name, options.clock);
    const { name, timeoutMs, clock, onTimeout } = options;
    this.#listeners =
      onTimeout === undefined ? undefined : new Listeners(name, 'onTimeout', onTimeout);
    const isFixed = typeof timeoutMs === 'number';
    this.#fixed = isFixed ? new TimeoutQueue(clock, timeoutMs) : undefined;
    this.#queues = isFixed ? undefined : new DelayQueues(clock);
    this.#observed = isFixed ? undefined : timeoutMs;
    this.#observer = new TimeoutObserver(this, options);
  }

  get timeoutMs(): number {
    return this.#fixed?.durationMs ?? (this.#observed as ObservedDuration).current();
  }

  onTimeout(listener: (event: TimeoutEvent, call: CallContext) => unknown): Disposable {
    this.#listeners ??= new Listeners(this.name, 'onTimeout');
    return this.#listeners.add(listener);
  }

  get cutOffShare(): number | undefined {
    return this.#observed?.cutOffShare;
  }

  runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    const queue = this.#fixed ?? (this.#queues as DelayQueues).of(this.timeoutMs);
    const { durationMs } = queue;
    const spans = this.#observer.begin(call, durationMs);
    let timedOut = false;
    const timeoutError = (): Error => new OperationTimeoutError(this.name, durationMs);
    const timed =
      this.#observed === undefined ? undefined : this.#timed(this.#observed, durationMs);
    const { calls } = this.#observer;
    const observer: RunObserver = {
      inTime: (ok, timing, reservedMs) => {
        timed?.(ok, timing, reservedMs);
        calls[ok ? 'success' : inTimeFailure(call)]++;
      },
      timedOut: () => {
        timedOut = true;
        calls.timeout++;
        this.#observed?.recordCutOff(durationMs);
      },
    };
    const watched: Operation<T> =
      spans === undefined ? operation : (own) => spans.run(() => operation(own));
    const result = runWithTimeout(watched, call, queue, timeoutError, observer);
    if (spans !== undefined || this.#listeners?.empty === false) {
      void this.#watch(result, () => timedOut, durationMs, call, spans);
    }
    return result;
  }

  /**
   * Reports the end of a call. This is done in a continuation of the call, since the timer is shared:
   * it may have been started in the asynchronous context of another one.
   */
  async #watch(
    result: Promise<unknown>,
    timedOut: () => boolean,
    timeoutMs: number,
    call: Call,
    spans: CallObservation<TimeoutOutcome> | undefined,
  ): Promise<void> {
    try {
      await result;
      spans?.end('success');
    } catch (error) {
      if (!timedOut()) {
        spans?.end(inTimeFailure(call));
        return;
      }
      spans?.end('timeout', { ok: false, error });
      const event = { policy: this.name, timeoutMs, operation: call.operation };
      this.#listeners?.emit(event, call);
    }
  }

  /** Also tells the observed duration how long a call took that succeeded in time. */
  #timed(observed: ObservedDuration, durationMs: number): RunObserver['inTime'] {
    const startedAt = this.clock.monotonic();
    return (ok, timing, reservedMs) => {
      // Neither a failure tells how long an answer takes (a refused connection is quick), nor an answer
      // that is not the operation's.
      if (timing === 'longer') observed.recordCutOff(durationMs);
      else if (ok && timing === 'measured') {
        // With less, the operation would not have had the time that it took.
        observed.record(this.clock.monotonic() - startedAt + reservedMs);
      }
    };
  }

  override describe(): PolicyDescription {
    return {
      kind: 'timeout',
      timeoutMs: this.#fixed?.durationMs,
      maxTimeoutMs: this.#observed?.maxMs,
    };
  }

  stats(): TimeoutStats {
    const { timeoutMs, cutOffShare } = this;
    return { calls: { ...this.#observer.calls }, timeoutMs, cutOffShare };
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
  }
}

/** How a call counts that failed before its time was up. */
function inTimeFailure(call: Call): 'failure' | 'aborted' {
  return call.cancelled ? 'aborted' : 'failure';
}

/**
 * Creates a policy that aborts an operation that takes too long: its signal aborts, and the call rejects
 * with `OperationTimeoutError` at once. The timeouts of one policy share one timer.
 *
 * The operation's `deadline` is the moment of the timeout, so that a retry inside does not wait past it.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function timeout(options: TimeoutOptions = {}): TimeoutPolicy {
  return new Timeout(resolveTimeoutOptions(options));
}
