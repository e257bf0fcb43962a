import { inCurrentContext } from '../async-context.ts';
import type { Clock } from '../clock.ts';
import type { CallContext, EndedBy, Priority } from '../contract.ts';
import type { Attributes } from '../telemetry/definitions.ts';

/** What the caller said about a call, apart from when it ends. */
export interface CallLabels {
  readonly operation: string | undefined;
  readonly attributes: Attributes | undefined;
  readonly cost: number | undefined;
  readonly priority: Priority | undefined;
  readonly key: string | undefined;
}

/** Recognises a context made by any installed copy of core with this protocol. */
const CALL: unique symbol = Symbol.for('temper.call.1');

/**
 * One call on its way through the policies. The root belongs to the call, a derived one to an attempt.
 * Neither creates an AbortController before somebody reads {@link signal}.
 */
export class Call implements CallContext {
  readonly attempt: number;
  readonly deadline: number | undefined;
  readonly labels: CallLabels | undefined;
  /** Where an abort can come from: the caller's signal, or the context this one derives from. */
  protected readonly source: AbortSignal | Call | undefined;
  #signal: AbortSignal | undefined;

  constructor(attempt = 1, deadline?: number, labels?: CallLabels, source?: AbortSignal | Call) {
    this.attempt = attempt;
    this.deadline = deadline;
    this.labels = labels;
    this.source = source;
    this.#signal = undefined;
  }

  /** The context that this one derives from. */
  get outer(): Call | undefined {
    return isCall(this.source) ? this.source : undefined;
  }

  get operation(): string | undefined {
    return this.labels?.operation;
  }

  get attributes(): Attributes | undefined {
    return this.labels?.attributes;
  }

  get cost(): number {
    return this.labels?.cost ?? 1;
  }

  get priority(): Priority | undefined {
    return this.labels?.priority;
  }

  get key(): string | undefined {
    return this.labels?.key;
  }

  get signal(): AbortSignal {
    this.#signal ??=
      this.source === undefined
        ? new AbortController().signal
        : isCall(this.source)
          ? this.source.signal
          : this.source;
    return this.#signal;
  }

  /** The signal when something can abort this call; `undefined` when nothing can. */
  get abortable(): AbortSignal | undefined {
    const { source } = this;
    return source === undefined || !isCall(source) ? source : source.abortable;
  }

  /** Whether the call was ended early. Never creates a controller. */
  get aborted(): boolean {
    return this.source?.aborted ?? false;
  }

  /** Why the call was ended: `signal.reason`, unchanged. */
  get reason(): unknown {
    return this.source?.reason;
  }

  get endedBy(): EndedBy | undefined {
    const { source } = this;
    if (source === undefined) return undefined;
    if (isCall(source)) return source.endedBy;
    if (!source.aborted) return undefined;
    return endedByReason(source.reason);
  }

  /** Whether the caller, or a hedge answered elsewhere, no longer wants the result. */
  get cancelled(): boolean {
    const { endedBy } = this;
    return endedBy === 'caller' || endedBy === 'hedge';
  }

  /** Milliseconds until the deadline, `Infinity` without one. */
  remainingMs(clock: Clock): number {
    return this.deadline === undefined
      ? Number.POSITIVE_INFINITY
      : this.deadline - clock.monotonic();
  }

  /** The context of another attempt: same signal, deadline and labels. */
  forAttempt(attempt: number): Call {
    return new Call(attempt, this.deadline, this.labels, this);
  }

  /** The context of a part of this call with other labels. */
  labelled(labels: CallLabels): Call {
    return new Call(this.attempt, this.deadline, labels, this);
  }

  /**
   * A context that can be ended on its own, and follows this one. Must be released.
   *
   * @param deadline - when the scope's work must be over; this context's own deadline still holds
   */
  scope(
    deadline: number = Number.POSITIVE_INFINITY,
    labels: CallLabels | undefined = this.labels,
  ): CallScope {
    const own = this.deadline;
    const nearer = own !== undefined && own < deadline ? own : deadline;
    return new CallScope(
      this.attempt,
      nearer === Number.POSITIVE_INFINITY ? own : nearer,
      labels,
      this,
    );
  }
}

Object.defineProperty(Call.prototype, CALL, { value: true });

/**
 * The signal of a scope, created when somebody first reads it. Its listeners run in the asynchronous
 * context of that reader: the timer that aborts may be shared, and armed by another call.
 */
class ScopeSignal {
  readonly controller: AbortController = new AbortController();
  readonly #upstream: AbortSignal | undefined;
  readonly #inReadersContext: (work: () => void) => void = inCurrentContext();

  /** @param upstream - followed until {@link release} */
  constructor(upstream: AbortSignal | undefined) {
    this.#upstream = upstream;
    upstream?.addEventListener('abort', this, { once: true });
  }

  /** The upstream signal has aborted, in whichever context that was done. */
  handleEvent(): void {
    this.abort(this.#upstream?.reason);
  }

  abort(reason: unknown): void {
    this.#inReadersContext(() => this.controller.abort(reason));
  }

  release(): void {
    this.#upstream?.removeEventListener('abort', this);
  }
}

/** A context that its creator can end: a timed attempt, a hedge, a call with a timeout. */
export class CallScope extends Call {
  #own: ScopeSignal | undefined;
  #endedBy: EndedBy | undefined;
  #reason: unknown;
  #released = false;

  override get signal(): AbortSignal {
    if (this.#own === undefined) {
      const { aborted } = this;
      // After release nobody would remove the listener again.
      this.#own = new ScopeSignal(aborted || this.#released ? undefined : super.abortable);
      if (aborted) this.#own.controller.abort(this.reason);
    }
    return this.#own.controller.signal;
  }

  override get abortable(): AbortSignal {
    return this.signal;
  }

  override get aborted(): boolean {
    return this.#endedBy !== undefined || super.aborted;
  }

  override get reason(): unknown {
    return this.#endedBy === undefined ? super.reason : this.#reason;
  }

  override get endedBy(): EndedBy | undefined {
    return this.#endedBy ?? super.endedBy;
  }

  /** Ends this scope alone; its signal aborts with `reason` unchanged. */
  end(by: EndedBy, reason: unknown): void {
    if (this.aborted) return;
    this.#endedBy = by;
    this.#reason = reason;
    this.#own?.abort(reason);
  }

  /** Removes this scope's listener from the signal it follows. Call it when the scope's work is over. */
  release(): void {
    this.#released = true;
    this.#own?.release();
  }
}

/** By the code or name of the reason that Temper or `AbortSignal.timeout()` gave to a signal. */
const ENDED_BY: ReadonlyMap<unknown, EndedBy> = new Map([
  ['TimeoutError', 'deadline'],
  ['DEADLINE_EXCEEDED', 'deadline'],
  ['OPERATION_TIMEOUT', 'timeout'],
  ['HEDGE_LOST', 'hedge'],
]);

/**
 * Who ended a call whose own signal aborted. The signal of an outer call, handed on by itself or through
 * `AbortSignal.any()`, carries the fact in its reason; any other reason is the caller's.
 */
export function endedByReason(reason: unknown): EndedBy {
  try {
    const { code, name } = (reason ?? {}) as { code?: unknown; name?: unknown };
    return ENDED_BY.get(code) ?? ENDED_BY.get(name) ?? 'caller';
  } catch {
    return 'caller'; // a hostile getter
  }
}

/** Whether `value` is a context made by any installed copy of core. Never throws. */
export function isCall(value: unknown): value is Call {
  try {
    return (
      typeof value === 'object' && value !== null && (value as { [CALL]?: unknown })[CALL] === true
    );
  } catch {
    return false; // a hostile proxy
  }
}
