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

/**
 * The signal of a scope, made when somebody first reads it. What listens to it hears an abort in the
 * asynchronous context of that reader: the timer that aborts may be shared, and belong to another call.
 */
class ScopeSignal extends AsyncResource {
  readonly controller: AbortController = new AbortController();
  readonly #upstream: AbortSignal | undefined;

  /** @param upstream - followed until {@link release} */
  constructor(upstream: AbortSignal | undefined) {
    super('TemperScope');
    this.#upstream = upstream;
    upstream?.addEventListener('abort', this, { once: true });
  }

  /** The upstream signal has aborted. */
  handleEvent(): void {
    this.controller.abort(this.#upstream?.reason);
  }

  abort(reason: unknown): void {
    this.runInAsyncScope(() => this.controller.abort(reason));
  }

  release(): void {
    this.#upstream?.removeEventListener('abort', this);
  }
}

/** A context that its maker can abort: a timed attempt, a hedge, a call with a deadline. */
export class AbortScope extends CallContext {
  #own: ScopeSignal | undefined;
  #aborted = false;
  #released = false;
  #reason: unknown;

  override get signal(): AbortSignal {
    if (this.#own === undefined) {
      const { aborted } = this;
      // Nobody would take a listener off again that was added when the work is over.
      this.#own = new ScopeSignal(aborted || this.#released ? undefined : super.abortable);
      if (aborted) this.#own.controller.abort(this.reason);
    }
    return this.#own.controller.signal;
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

  /** Aborts this scope alone, with `reason` untouched. */
  abort(reason: unknown): void {
    if (this.aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    this.#own?.abort(reason);
  }

  /** Takes this scope's listener off the signal it follows. Call it when the scope's work is over. */
  release(): void {
    this.#released = true;
    this.#own?.release();
  }
}

/** Whether `value` is a context made by any installed copy of core. */
export function isCallContext(value: object): value is CallContext {
  return (value as { isTemperContext?: true }).isTemperContext === true;
}
