import type { Context, Span, SpanContext } from '@opentelemetry/api';
import type { Call } from '../call/context.ts';
import type { Clock } from '../clock.ts';
import type { Outcome } from '../contract.ts';
import { safeText } from '../text.ts';
import { spanOf } from './api-values.ts';
import type { Variants } from './counters.ts';
import type { Attributes, MetricDefinition } from './definitions.ts';
import type { Instrumentation } from './instrumentation.ts';
import { type LazySpan, openedContext, runWithin } from './lazy-span.ts';
import { activeContext } from './process-api.ts';
import { ATTR_OPERATION, ATTR_POLICY_NAME } from './semconv.ts';
import type { HistogramSeries } from './series.ts';
import { adopted, type GuardedSpan, type SpanMode } from './spans.ts';

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
  /** Made with the first duration: most processes measure none. */
  #durations: Partial<Record<K, HistogramSeries>> | undefined;

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
    this.#durations ??= {};
    this.#durations[outcome] ??= telemetry.histogram(duration, policy, outcomes[outcome]);
    this.#durations[outcome].record(ms / 1000);
  }
}

/** One call that somebody watches. Nothing in here throws but what the work itself throws. */
export class CallObservation<K extends string> implements LazySpan {
  readonly #observer: CallObserver<K>;
  readonly #call: Call;
  readonly #attributes: Attributes | undefined;
  readonly #mode: SpanMode;
  /** On the monotonic scale, in milliseconds. */
  readonly startedAt: number;
  /** What was active when the call began; `undefined` without spans. */
  readonly #parent: Context | undefined;
  #began: number | undefined;
  #span: GuardedSpan | undefined;
  #part: Part | undefined;
  #link: SpanContext | undefined;
  #ended = false;

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
    this.#parent = mode === 'none' ? undefined : activeContext();
    if (mode === 'all') this.#span = this.#create(this.#parent);
  }

  /** Whether the call may get a span; otherwise only its duration is measured. */
  get traced(): boolean {
    return this.#parent !== undefined;
  }

  /** Runs `work` as part of the call's span, which in mode `failures` may be created later. */
  run<T>(work: () => T): T {
    if (this.#span !== undefined) return this.#span.run(work);
    return this.#parent === undefined
      ? work()
      : runWithin(this, this.#parent, () => adopted(work()));
  }

  /**
   * The call's span; in mode `failures` it is created now and dated back, as something went wrong.
   * `undefined` when spans are off.
   */
  span(): GuardedSpan | undefined {
    if (this.#span === undefined && this.#mode === 'failures' && !this.#ended) {
      this.#span = this.#create(openedContext(this.#parent), this.began);
    }
    return this.#span;
  }

  /** Has the call's span, if it gets one, link to the span that did the work. */
  link(context: SpanContext): void {
    if (this.#span === undefined) this.#link = context;
    else this.#span.link(context);
  }

  /** @internal See {@link LazySpan}. */
  get around(): Span | undefined {
    return this.#parent === undefined ? undefined : spanOf(this.#parent);
  }

  /** @internal See {@link LazySpan}. */
  open(): Context {
    return this.span()?.context ?? openedContext(this.#parent);
  }

  /**
   * Runs a part of the call, such as an attempt, in a child span of the call's own. In a trace that was
   * not sampled the call's span stands for its parts. Parts follow one another.
   *
   * @param attributes - of the part's span, computed when it is created
   */
  runPart<T>(name: string, attributes: () => Attributes, work: () => T): T {
    if (this.#parent === undefined) return work();
    if (this.#span?.recording === false) return this.#span.run(work);
    this.#endPart();
    this.#part = new Part(this, name, attributes);
    if (this.#span === undefined) return runWithin(this.#part, this.#parent, () => adopted(work()));
    const span = this.#part.create(this.now);
    return span === undefined ? work() : span.run(work);
  }

  /**
   * Ends the present part as failed. In mode `failures` the first part gets its span now, dated back
   * to the beginning of the call.
   */
  partFailed(name: string, attributes: () => Attributes, failure: Outcome<unknown>): void {
    if (this.span()?.recording !== true) return;
    this.#part ??= new Part(this, name, attributes);
    this.#part.create(this.began)?.fail(failure);
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
    return this.#span?.context ?? activeContext();
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
    const span = failure === undefined ? this.#span : this.span();
    this.#ended = true;
    if (span === undefined) return;
    this.#endPart();
    span.set({ ...outcomes[outcome], ...attributes });
    if (failure !== undefined) span.fail(failure);
    span.end(this.now);
  }

  #create(parent: Context | undefined, startTime?: number): GuardedSpan {
    const { telemetry, kind, policy } = this.#observer.options;
    const { operation, attributes } = this.#call;
    const all: Record<string, string | number | boolean> = {
      ...attributes,
      ...this.#attributes,
      [ATTR_POLICY_NAME.name]: policy,
    };
    if (operation !== undefined) all[ATTR_OPERATION.name] = safeText(operation, 128);
    const span = telemetry.span(`${kind} ${policy}`, all, parent, startTime);
    if (this.#link !== undefined) span.link(this.#link);
    return span;
  }
}

/** A part of a call, such as an attempt. */
class Part implements LazySpan {
  readonly #whole: CallObservation<string>;
  readonly #name: string;
  readonly #attributes: () => Attributes;
  #span: GuardedSpan | undefined;
  #ended = false;

  constructor(whole: CallObservation<string>, name: string, attributes: () => Attributes) {
    this.#whole = whole;
    this.#name = name;
    this.#attributes = attributes;
  }

  /**
   * @param startTime - of the span, unless there is one already
   * @returns `undefined` where the call has no span
   */
  create(startTime: number | undefined): GuardedSpan | undefined {
    if (this.#span === undefined && !this.#ended) {
      this.#span = this.#whole.span()?.child(this.#name, this.#attributes(), startTime);
    }
    return this.#span;
  }

  get around(): Span | undefined {
    return this.#whole.around;
  }

  /** Only the first part of a call can be without a span, and begins when the call does. */
  open(): Context {
    return this.create(this.#whole.began)?.context ?? this.#whole.open();
  }

  end(endTime: number | undefined): void {
    this.#ended = true;
    this.#span?.end(endTime);
  }
}
