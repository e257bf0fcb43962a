import { type Context, context } from '@opentelemetry/api';
import type { Call } from '../call/context.ts';
import type { Clock } from '../clock.ts';
import type { Outcome } from '../contract.ts';
import { safeText } from '../text.ts';
import type { Attributes, MetricDefinition } from './definitions.ts';
import type { Instrumentation } from './instrumentation.ts';
import { ATTR_OPERATION, ATTR_POLICY_NAME } from './semconv.ts';
import type { HistogramSeries, Variants } from './series.ts';
import type { GuardedSpan, SpanMode } from './spans.ts';

/** What {@link CallObserver} needs to know of a policy. */
export interface CallObserverOptions<K extends string> {
  readonly telemetry: Instrumentation;
  readonly policy: string;
  /** First word of the span's name; the policy's name follows. */
  readonly kind: string;
  readonly spans: SpanMode;
  readonly clock: Clock;
  /** Histogram of the durations of calls, by variant. @defaultValue none is measured */
  readonly duration?: MetricDefinition;
  /** How a call can end, with the attributes of each ending. */
  readonly outcomes: Variants<K>;
}

/**
 * Turns the calls of one policy into spans and durations. The policy asks for an observation when a
 * call begins, and gets none while nobody watches:
 *
 * ```ts
 * const observed = this.#observer.begin(call);
 * const value = await (observed === undefined ? operation(call) : observed.run(() => operation(call)));
 * observed?.end('success');
 * ```
 */
export class CallObserver<K extends string> {
  readonly options: CallObserverOptions<K>;
  readonly #durations: Partial<Record<K, HistogramSeries>> = {};

  constructor(options: CallObserverOptions<K>) {
    this.options = options;
  }

  /**
   * @param attributes - more attributes of the span
   * @returns `undefined` while neither spans nor durations would be recorded
   */
  begin(call: Call, attributes?: Attributes): CallObservation<K> | undefined {
    const { telemetry, spans, duration } = this.options;
    const { live } = telemetry;
    const traced = live.traces && spans !== 'none';
    if (!traced && (!live.metrics || duration === undefined)) return undefined;
    return new CallObservation(this, call, attributes, traced ? spans : 'none');
  }

  /** @param ms - from the beginning of the call to its end */
  record(outcome: K, ms: number): void {
    const { telemetry, policy, duration, outcomes } = this.options;
    if (duration === undefined) return;
    this.#durations[outcome] ??= telemetry.histogram(duration, policy, outcomes[outcome]);
    this.#durations[outcome].record(ms / 1000);
  }
}

/** One call that somebody watches. Nothing in here throws but what the work itself throws. */
export class CallObservation<K extends string> {
  readonly #observer: CallObserver<K>;
  readonly #call: Call;
  readonly #attributes: Attributes | undefined;
  readonly #mode: SpanMode;
  /** On the monotonic scale, in milliseconds. */
  readonly startedAt: number;
  #began: number | undefined;
  #span: GuardedSpan | undefined;
  #part: GuardedSpan | undefined;

  constructor(
    observer: CallObserver<K>,
    call: Call,
    attributes: Attributes | undefined,
    mode: SpanMode,
  ) {
    this.#observer = observer;
    this.#call = call;
    this.#attributes = attributes;
    this.#mode = mode;
    this.startedAt = observer.options.clock.monotonic();
    if (mode === 'all') this.#span = this.#open(undefined);
  }

  /** The call's span, where there is one so far. */
  get current(): GuardedSpan | undefined {
    return this.#span;
  }

  /** Runs `work` as part of the call's span, where there is one. */
  run<T>(work: () => T): T {
    return this.#span === undefined ? work() : this.#span.run(work);
  }

  /**
   * The call's span; in mode `failures` it is created now and dated back, as something went wrong.
   * `undefined` when spans are off.
   */
  span(): GuardedSpan | undefined {
    if (this.#span === undefined && this.#mode === 'failures') this.#span = this.#open(this.began);
    return this.#span;
  }

  /**
   * Runs a part of the call, such as an attempt, in a child span where the call's own is recorded. In
   * a trace that was not sampled the call's span stands for its parts. Parts follow one another.
   */
  runPart<T>(name: string, attributes: Attributes, work: () => T): T {
    if (this.#span === undefined) return work();
    if (!this.#span.recording) return this.#span.run(work);
    this.#endPart();
    this.#part = this.#span.child(name, attributes, this.now);
    return this.#part.run(work);
  }

  /**
   * Ends the present part as failed. In mode `failures` the first part gets its span now, dated back
   * to the beginning of the call.
   */
  partFailed(name: string, attributes: Attributes, failure: Outcome<unknown>): void {
    const span = this.span();
    if (span?.recording !== true) return;
    this.#part ??= span.child(name, attributes, this.began);
    this.#part.fail(failure);
    this.#endPart();
  }

  #endPart(): void {
    this.#part?.end(this.now);
    this.#part = undefined;
  }

  /** When the call began, as wall-clock time in milliseconds, for spans that are dated back. */
  get began(): number | undefined {
    if (this.#mode !== 'failures') return undefined;
    const { clock } = this.#observer.options;
    this.#began ??= clock.now() - (clock.monotonic() - this.startedAt);
    return this.#began;
  }

  /** Wall-clock time in milliseconds for spans that are dated back; the SDK's own time otherwise. */
  get now(): number | undefined {
    const { began } = this;
    // The wall clock may be set during the call; the spans of one call keep their distances.
    return began === undefined
      ? undefined
      : began + (this.#observer.options.clock.monotonic() - this.startedAt);
  }

  /** The context of the call's span, so that a log record leads to it. */
  get context(): Context {
    return this.#span?.context ?? context.active();
  }

  /**
   * Ends the observation: records the duration, and ends the span.
   *
   * @param failure - what makes the call a failed one, if it is; mode `failures` shows it
   * @param attributes - more attributes of the span
   */
  end(outcome: K, failure?: Outcome<unknown>, attributes?: Attributes): void {
    const { clock, telemetry, duration, outcomes } = this.#observer.options;
    if (duration !== undefined && telemetry.live.metrics) {
      this.#observer.record(outcome, clock.monotonic() - this.startedAt);
    }
    this.#endPart();
    const span = failure === undefined ? this.#span : this.span();
    if (span === undefined) return;
    span.set({ ...outcomes[outcome], ...attributes });
    if (failure !== undefined) span.fail(failure);
    span.end(this.now);
  }

  #open(startTime: number | undefined): GuardedSpan {
    const { telemetry, kind, policy } = this.#observer.options;
    const { operation, attributes } = this.#call;
    const all: Record<string, string | number | boolean> = {
      ...attributes,
      ...this.#attributes,
      [ATTR_POLICY_NAME.name]: policy,
    };
    if (operation !== undefined) all[ATTR_OPERATION.name] = safeText(operation, 128);
    return telemetry.span(`${kind} ${policy}`, all, undefined, startTime);
  }
}
