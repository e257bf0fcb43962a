import type { Context, Span, SpanContext } from '@opentelemetry/api';
import { errorType, statusOf } from '../classify.ts';
import type { Outcome } from '../contract.ts';
import { messageOf } from '../text.ts';
import { STATUS_ERROR, withSpan } from './api-values.ts';
import type { Attributes } from './definitions.ts';
import { openedContext } from './lazy-span.ts';
import { activeContext, runInContext } from './process-api.ts';
import type { InstrumentationScope } from './scope.ts';
import { ATTR_ERROR_TYPE } from './semconv.ts';

/**
 * Which calls get spans: every one, only those in which something went wrong (created when it does,
 * with the time at which the call began), or none.
 */
export type SpanMode = 'all' | 'failures' | 'none';

/** Every {@link SpanMode}. */
export const SPAN_MODES: readonly SpanMode[] = ['all', 'failures', 'none'];

/** The default of the `spans` option of every policy; see docs/adr/0007-spans.md. */
export const DEFAULT_SPANS: 'failures' = 'failures';

/**
 * A span whose failure no call notices: what a tracer, sampler or processor throws is logged on
 * `diag`, and the work goes on without the span.
 */
export class GuardedSpan {
  readonly #scope: InstrumentationScope;
  readonly #parent: Context;
  #span: Span | undefined;

  /**
   * @param parent - the context of the parent span. By default the active one; for a span that is
   *   dated back, the spans of the policies around it are created first
   * @param startTime - wall-clock time in milliseconds, where the work began in the past
   */
  constructor(
    scope: InstrumentationScope,
    name: string,
    attributes: Attributes,
    parent?: Context,
    startTime?: number,
  ) {
    this.#scope = scope;
    this.#parent = parent ?? (startTime === undefined ? activeContext() : openedContext());
    scope.safely(() => {
      const options = startTime === undefined ? { attributes } : { attributes, startTime };
      this.#span = scope.tracer?.startSpan(name, options, this.#parent);
    });
  }

  /** Whether the span was sampled. */
  get recording(): boolean {
    let recording = false;
    this.#scope.safely(() => {
      recording = this.#span?.isRecording() === true;
    });
    return recording;
  }

  /** The context in which this span is the active one. */
  get context(): Context {
    return this.#span === undefined ? this.#parent : withSpan(this.#parent, this.#span);
  }

  /**
   * Runs `work` with this span as the active one, so that what it starts becomes a child. A foreign
   * promise is adopted within: a lazy one, such as a query builder, begins its work in `then`.
   */
  run<T>(work: () => T): T {
    if (this.#span === undefined) return work();
    return runInContext(this.context, () => adopted(work()));
  }

  /** Adds a child span, dated back to `startTime` where it began in the past. */
  child(name: string, attributes: Attributes, startTime?: number): GuardedSpan {
    return new GuardedSpan(this.#scope, name, attributes, this.context, startTime);
  }

  /** Links to a span of another trace; without effect before version 1.9 of the API. */
  link(context: SpanContext): void {
    this.#scope.safely(() => void this.#span?.addLink?.({ context }));
  }

  set(attributes: Attributes): void {
    this.#scope.safely(() => void this.#span?.setAttributes(attributes));
  }

  /**
   * Marks the span as failed: `error.type` and status ERROR, but no exception event (deprecated).
   *
   * @param outcome - the error, or the value that counts as a failure
   */
  fail(outcome: Outcome<unknown>): void {
    this.#scope.safely(() => {
      this.#span?.setAttribute(ATTR_ERROR_TYPE.name, failureType(outcome));
      const message = outcome.ok ? 'The result counts as a failure.' : messageOf(outcome.error);
      this.#span?.setStatus({ code: STATUS_ERROR, message });
    });
  }

  /** @param endTime - wall-clock time in milliseconds, for a span that was dated back */
  end(endTime?: number): void {
    this.#scope.safely(() => this.#span?.end(endTime));
  }
}

/** @internal A foreign promise as a native one, by a single call of its `then`; anything else unchanged. */
export function adopted<T>(result: T): T {
  if (typeof result !== 'object' && typeof result !== 'function') return result;
  if (result === null || result instanceof Promise) return result;
  const { then } = result as { then?: unknown };
  return typeof then !== 'function'
    ? result
    : (new Promise((resolve, reject) => then.call(result, resolve, reject)) as T);
}

/** `error.type` of a failure; a value that counts as one has no name, but perhaps a status. */
export function failureType(outcome: Outcome<unknown>): string {
  if (!outcome.ok) return errorType(outcome.error);
  const status = statusOf(outcome.value);
  return status === undefined ? '_OTHER' : String(status);
}
