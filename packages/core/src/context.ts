import { AsyncResource } from 'node:async_hooks';
import type { Clock } from './clock.ts';
import type { ExecuteOptions, ExecutionContext } from './policy.ts';
import type { Attributes } from './telemetry/definitions.ts';

/**
 * One call on its way through the policies. A root context belongs to the call; a derived one to an
 * attempt. Neither makes an AbortController before somebody reads {@link signal}.
 */
export class CallContext implements ExecutionContext {
  readonly attempt: number;
  readonly deadline: number | undefined;
  /** {@link ExecuteOptions.operation} of this call. */
  readonly operation: string | undefined;
  /** {@link ExecuteOptions.attributes} of this call. */
  readonly attributes: Attributes | undefined;
  /** Where an abort can come from: the caller's signal, or the context this one derives from. */
  protected readonly source: AbortSignal | CallContext | undefined;
  #signal: AbortSignal | undefined;

  constructor(
    attempt = 1,
    deadline?: number,
    operation?: string,
    attributes?: Attributes,
    source?: AbortSignal | CallContext,
  ) {
    this.attempt = attempt;
    this.deadline = deadline;
    this.operation = operation;
    this.attributes = attributes;
    this.source = source;
    this.#signal = undefined;
  }

  static root(options: ExecuteOptions): CallContext {
    return new CallContext(1, undefined, options.operation, options.attributes, options.signal);
  }

  /** Tells a context from other options, across installed copies of core. */
  get isTemperContext(): true {
    return true;
  }

  get signal(): AbortSignal {
    this.#signal ??=
      this.source === undefined
        ? new AbortController().signal
        : isCallContext(this.source)
          ? this.source.signal
          : this.source;
    return this.#signal;
  }

  /** The signal when something can abort this call, undefined when nothing can: no listener needed. */
  get abortable(): AbortSignal | undefined {
    const { source } = this;
    return source === undefined || !isCallContext(source) ? source : source.abortable;
  }

  /** Whether the call has been aborted; never makes a controller. */
  get aborted(): boolean {
    return this.source?.aborted ?? false;
  }

  /** Why the call was aborted. */
  get reason(): unknown {
    return this.source?.reason;
  }

  /** Milliseconds until the deadline, `Infinity` without one. */
  remainingMs(clock: Clock): number {
    return this.deadline === undefined
      ? Number.POSITIVE_INFINITY
      : this.deadline - clock.monotonic();
  }

  /** The context of another try: same signal, deadline and labels. */
  forAttempt(attempt: number): CallContext {
    return new CallContext(attempt, this.deadline, this.operation, this.attributes, this);
  }

  /**
   * A context that can be aborted on its own, and follows this one. Must be released.
   *
   * @param deadline - when the scope's work must be over; this context's own deadline still holds
   */
  scope(deadline: number = Number.POSITIVE_INFINITY): AbortScope {
    const own = this.deadline;
    const nearer = own !== undefined && own < deadline ? own : deadline;
    return new AbortScope(
      this.attempt,
      nearer === Number.POSITIVE_INFINITY ? own : nearer,
      this.operation,
      this.attributes,
      this,
    );
  }
}

/** A context that its maker can abort: a timed attempt, a hedge, a call with a deadline. */
export class AbortScope extends CallContext {
  #controller: AbortController | undefined;
  /** Where the signal was first read: what listens to it belongs to that call. */
  #reader: AsyncResource | undefined;
  #followed: AbortSignal | undefined;
  #follow: (() => void) | undefined;
  #aborted = false;
  #released = false;
  #reason: unknown;

  override get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal;
    const controller = new AbortController();
    this.#controller = controller;
    this.#reader = new AsyncResource('TemperAbortScope');
    if (this.aborted) {
      controller.abort(this.reason);
      return controller.signal;
    }
    // Nobody would take a listener off again that was added when the work is over.
    const upstream = this.#released ? undefined : super.abortable;
    if (upstream !== undefined) {
      this.#followed = upstream;
      this.#follow = () => controller.abort(upstream.reason);
      upstream.addEventListener('abort', this.#follow, { once: true });
    }
    return controller.signal;
  }

  override get abortable(): AbortSignal {
    return this.signal;
  }

  override get aborted(): boolean {
    return this.#aborted || super.aborted;
  }

  override get reason(): unknown {
    return this.#aborted ? this.#reason : super.reason;
  }

  /**
   * Aborts this scope alone, with `reason` untouched. Listeners run in the asynchronous context in
   * which the signal was first read: a timer that many calls share belongs to another one.
   */
  abort(reason: unknown): void {
    if (this.aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    this.#reader?.runInAsyncScope(() => this.#controller?.abort(reason));
  }

  /** Takes this scope's listener off the signal it follows. Call it when the scope's work is over. */
  release(): void {
    this.#released = true;
    if (this.#follow !== undefined) this.#followed?.removeEventListener('abort', this.#follow);
    this.#follow = undefined;
    this.#followed = undefined;
  }
}

/** Whether `value` is a context made by any installed copy of core. */
export function isCallContext(value: object): value is CallContext {
  return (value as { isTemperContext?: true }).isTemperContext === true;
}
