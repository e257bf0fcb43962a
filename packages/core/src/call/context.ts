import { listenForAbort, stopListening } from '../abort-listener.ts';
import { inCurrentContext } from '../async-context.ts';
import type { Clock } from '../clock.ts';
import type { CallContext, EndedBy, Priority } from '../contract.ts';
import { isRefusal } from '../errors.ts';
import { isObject } from '../is-object.ts';
import { processState } from '../process-state.ts';
import type { Attributes } from '../telemetry/definitions.ts';
import { awaitCapacity, goOn, isWaiting, noteEndOfParts } from './capacity.ts';
import type { Held } from './circular-waits.ts';
import { endedByReason, noteEnding } from './endings.ts';

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
 * What the time that a call takes tells of how long its operation takes: just that; nothing, as the call was
 * answered from elsewhere; or that it takes longer, as it was ended before the deadline so that the call
 * could be answered from elsewhere.
 */
export type Timing = 'measured' | 'unknown' | 'longer';

/** The calls around contexts that do not derive from them; see {@link Call.continues}. */
const around: () => { calls?: WeakMap<Call, Call> } = /* @__PURE__ */ processState(
  'call.around.1',
  () => ({}),
);

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

  /** The context that this one derives from, or is a part of. */
  get outer(): Call | undefined {
    return isCall(this.source) ? this.source : around().calls?.get(this);
  }

  /**
   * Makes this context, or the one that it derives from at last, a part of `call`: a policy of another library
   * between them hands on a context that knows nothing of the call around it.
   */
  continues(call: Call): void {
    let root: Call = this;
    while (isCall(root.source)) root = root.source;
    for (let each: Call | undefined = call; each !== undefined; each = each.outer) {
      if (each === root) return; // it is a part of it already
    }
    around().calls ??= new WeakMap();
    around().calls?.set(root, call);
  }

  /** What the call holds while it runs, if anything: the permits of a limiter, or a run that others share. */
  get held(): Held | undefined {
    return undefined;
  }

  get hedge(): number {
    return this.outer?.hedge ?? 1;
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

  /** The clock that {@link deadline} is read on, where known. */
  get deadlineClock(): Clock | undefined {
    return this.outer?.deadlineClock;
  }

  /**
   * Milliseconds until the deadline, `Infinity` without one.
   *
   * @param clock - of a deadline whose own clock is not known
   */
  remainingMs(clock: Clock): number {
    return this.deadline === undefined
      ? Number.POSITIVE_INFINITY
      : this.deadline - (this.deadlineClock ?? clock).monotonic();
  }

  /**
   * A call has joined this one by `parent`: its signal and timers stay in force until {@link leave},
   * even if this call resolves first.
   *
   * @returns what that takes: nothing where no scope is around; `late` where a scope is over already,
   * so that the timer behind its deadline is gone
   */
  join(): 'free' | 'held' | 'late' {
    return this.outer?.join() ?? 'free';
  }

  /** An attempt of the call failed: the error of a deadline that passes later has it as its cause. */
  noteFailure(error: unknown): void {
    this.outer?.noteFailure(error);
  }

  /** The call is answered from elsewhere: the time that it takes is not that of its operation. */
  noteTiming(timing: 'unknown' | 'longer'): void {
    this.outer?.noteTiming(timing);
  }

  /** So much of the time before the deadline of the call is kept for another answer, in milliseconds. */
  noteReserve(ms: number): void {
    this.outer?.noteReserve(ms);
  }

  /**
   * Waits for capacity of our own, such as the call's turn at a limiter. A call that ends meanwhile tells
   * nothing about its dependency, which was not called: see `isNeutral`. So it is for the calls around, up to
   * one that makes other attempts. Nor does an error that the wait itself ends with.
   *
   * @param clock - that the wait is measured on, for {@link noteWait}, where it can take time
   */
  awaitCapacity<T>(turn: () => Promise<T>, clock?: Clock): Promise<T> {
    return awaitCapacity(this, turn, clock);
  }

  /** The call has waited by our own doing, for its turn or between two attempts, for so many milliseconds. */
  noteWait(ms: number): void {
    this.outer?.noteWait(ms);
  }

  /** Attempts of the call run at the same time: when one of them waits, the others need not. */
  noteParallel(): void {
    this.outer?.noteParallel();
  }

  /** Whether the call waits for capacity of our own, or has ended while it did. */
  get awaitsCapacity(): boolean {
    return isWaiting(this);
  }

  /** A call that has joined this one is over. */
  leave(): void {
    this.outer?.leave();
  }

  /** The context of another attempt: same signal, deadline and labels. */
  forAttempt(attempt: number): Call {
    // What the attempt before it waited for says nothing about this one.
    if (attempt > 1 && this.awaitsCapacity) goOn(this);
    return new Call(attempt, this.deadline, this.labels, this);
  }

  /** The context of a part of this call with labels of its own. */
  labelled(labels: CallLabels | undefined): Call {
    return new Call(this.attempt, this.deadline, labels, this);
  }

  /**
   * A context that can be ended on its own, and follows this one. Must be released.
   *
   * @param deadline - when the scope's work must be over; this context's own deadline still holds
   * @param clock - that `deadline` is read on. By default it is that of this context's own deadline.
   */
  scope(
    deadline: number = Number.POSITIVE_INFINITY,
    labels: CallLabels | undefined = this.labels,
    clock?: Clock,
  ): CallScope {
    const { attempt } = this;
    return this.#endsBefore(deadline, clock)
      ? new CallScope(attempt, this.deadline, labels, this)
      : new CallScope(attempt, deadline, labels, this, clock);
  }

  /** Whether this call's own deadline is the nearer one, or there is no other. */
  #endsBefore(deadline: number, clock: Clock | undefined): boolean {
    if (deadline === Number.POSITIVE_INFINITY) return true;
    if (this.deadline === undefined) return false;
    const { deadlineClock } = this;
    return clock === undefined || deadlineClock === undefined || deadlineClock === clock
      ? this.deadline < deadline
      : this.remainingMs(clock) < deadline - clock.monotonic();
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

  constructor(upstream: AbortSignal | undefined) {
    this.#upstream = upstream;
  }

  /** Follows the upstream signal until {@link release}. */
  follow(): void {
    if (this.#upstream !== undefined) listenForAbort(this.#upstream, this);
  }

  /** The upstream signal has aborted, in whichever context that was done. */
  handleEvent(): void {
    this.abort(this.#upstream?.reason);
  }

  abort(reason: unknown): void {
    this.#inReadersContext(() => this.controller.abort(reason));
  }

  release(): void {
    stopListening(this.#upstream, this);
  }
}

/**
 * A context that its creator can end: a timed attempt, a hedge, a call with a timeout. It is over when
 * its creator has released it and the last call that joined it has left.
 */
export class CallScope extends Call {
  #own: ScopeSignal | undefined;
  #endedBy: EndedBy | undefined;
  #reason: unknown;
  #released = false;
  #joined = 0;
  #cleanUp: (() => void) | undefined;
  #lastFailure: unknown;
  #timing: Timing = 'measured';
  #reservedMs = 0;
  readonly #clock: Clock | undefined;

  /** @param clock - that the deadline is read on; by default that of the call around */
  constructor(
    attempt?: number,
    deadline?: number,
    labels?: CallLabels,
    source?: AbortSignal | Call,
    clock?: Clock,
  ) {
    super(attempt, deadline, labels, source);
    this.#clock = clock;
  }

  override get deadlineClock(): Clock | undefined {
    return this.#clock ?? super.deadlineClock;
  }

  /** What the last failed attempt within this scope failed with, if there was one. */
  get lastFailure(): unknown {
    return this.#lastFailure;
  }

  override noteFailure(error: unknown): void {
    // A refusal of our own tells nothing of the dependency, and may ask to stay away for long.
    if (!isRefusal(error)) this.#lastFailure = error;
    super.noteFailure(error);
  }

  /** What the time of the work in this scope tells of its operation. */
  get timing(): Timing {
    return this.#timing;
  }

  override noteTiming(timing: 'unknown' | 'longer'): void {
    // It may be a call that has joined that is answered from elsewhere, while the operation goes on.
    if (timing === 'unknown' && this.#joined > 0) return;
    if (this.#timing !== 'longer') this.#timing = timing;
    super.noteTiming(this.hasOwnDeadline ? 'unknown' : timing);
  }

  /** The most that was kept of the time before the deadline of this scope, in milliseconds. */
  get reservedMs(): number {
    return this.#reservedMs;
  }

  override noteReserve(ms: number): void {
    this.#reservedMs = Math.max(this.#reservedMs, ms);
    if (!this.hasOwnDeadline) super.noteReserve(ms);
  }

  /** Whether the deadline says nothing about a later one around: it does not follow from that. */
  protected get hasOwnDeadline(): boolean {
    return this.deadline !== this.outer?.deadline;
  }

  override get signal(): AbortSignal {
    if (this.#own === undefined) {
      const { aborted } = this;
      this.#own = new ScopeSignal(super.abortable);
      if (aborted) this.#own.controller.abort(this.reason);
      // After the end nobody would remove the listener again.
      else if (!this.#over) this.#own.follow();
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

  /** Whether calls that joined this one still run. */
  get joined(): boolean {
    return this.#joined > 0;
  }

  get #over(): boolean {
    return this.#released && this.#joined === 0;
  }

  override join(): 'held' | 'late' {
    const outer = super.join();
    const late = this.#over || outer === 'late';
    if (this.#over) this.#own?.follow();
    this.#joined++;
    return late ? 'late' : 'held';
  }

  override leave(): void {
    this.#joined--;
    if (this.#over) this.#finish();
    super.leave();
  }

  /**
   * Ends this scope alone; its signal aborts with `reason` unchanged.
   *
   * @param error - what the call then rejects with. Programs hand it on, also as the reason of other calls, so
   * that it should be another object than `reason`.
   */
  end(by: EndedBy, reason: unknown, error: unknown = reason): void {
    if (this.aborted) return;
    if (by !== 'caller') noteEnding(reason, by, error);
    // Others may have been ended with a reason that is handed on.
    if (error !== reason && isObject(reason) && isObject(error)) {
      noteEndOfParts(this, [reason, error]);
    }
    this.#endedBy = by;
    this.#reason = reason;
    this.#own?.abort(reason);
  }

  /**
   * The scope's own work is over. Removes its listener from the signal it follows, and cleans up, when
   * the last call that joined it is over too.
   *
   * @param cleanUp - cancels what would end the scope
   */
  release(cleanUp?: () => void): void {
    this.#released = true;
    this.#cleanUp = cleanUp;
    if (this.#over) this.#finish();
  }

  #finish(): void {
    this.#own?.release();
    this.#cleanUp?.();
    this.#cleanUp = undefined;
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
