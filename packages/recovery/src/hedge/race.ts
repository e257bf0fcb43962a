import {
  type CallContext,
  isRefusal,
  isTransient,
  type Operation,
  type Outcome,
} from '@temper/core';
import {
  ask,
  beginPart,
  type Call,
  CallScope,
  decide,
  discardBody,
  endPart,
  isCommitted,
  isUnheard,
  type Listeners,
  notify,
} from '@temper/core/policy';
import { HedgeFailedError, HedgeLostError } from '../errors.ts';
import type { ObservedDuration } from '../latency/observed-duration.ts';
import type { HedgeOutcome } from '../semconv.ts';
import { discard } from './discard.ts';
import type { HedgeBudget, HedgeEvent, HedgeStart, ResolvedHedgeOptions } from './options.ts';
import type { HedgeObserver } from './telemetry.ts';

/** A wait that can be cancelled. */
export interface Wait {
  cancel(): void;
}

/** The policy that runs a race. */
export interface RaceHost {
  readonly options: ResolvedHedgeOptions;
  readonly observer: HedgeObserver;
  /** The delay, where it follows the latencies of first attempts. */
  readonly observed: ObservedDuration | undefined;
  /** What bounds the attempts beyond the first. */
  readonly budget: HedgeBudget | undefined;
  /** Who hears of the attempts beyond the first. */
  readonly starts: Listeners<HedgeStart, [CallContext]>;
  /** A call has got a value. */
  answered(): void;
  /** Waits until the next attempt is due; `undefined` when there will be none. */
  wait(event: HedgeEvent, due: () => void): Wait | undefined;
}

/** The context of one attempt. */
class HedgeScope extends CallScope {
  readonly #number: number;

  constructor(call: Call, number: number) {
    super(call.attempt, call.deadline, call.labels, call);
    this.#number = number;
  }

  override get hedge(): number {
    return this.#number;
  }
}

interface Attempt {
  readonly number: number;
  readonly scope: HedgeScope;
  /** On the monotonic scale, in milliseconds. */
  readonly startedAt: number;
  running: boolean;
}

/** One call and its attempts: the first to succeed wins, and the others are aborted. */
export class Race<T> {
  readonly #host: RaceHost;
  readonly #operation: Operation<T>;
  readonly #call: Call;
  readonly #resolve: (value: T) => void;
  readonly #reject: (error: unknown) => void;
  readonly #attempts: Attempt[] = [];
  readonly #failures: Outcome<T>[] = [];
  #running = 0;
  #over = false;
  #wait: Wait | undefined;

  constructor(
    host: RaceHost,
    operation: Operation<T>,
    call: Call,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ) {
    this.#host = host;
    this.#operation = operation;
    this.#call = call;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Starts the next attempt, and the wait for the one after it. */
  start(): void {
    const { clock, maxAttempts } = this.#host.options;
    const number = this.#attempts.length + 1;
    const attempt: Attempt = {
      number,
      scope: new HedgeScope(this.#call, number),
      startedAt: clock.monotonic(),
      running: true,
    };
    this.#attempts.push(attempt);
    this.#running++;
    if (this.#running > 1) this.#call.noteParallel();
    if (number > 1) this.#partAttempts();
    void this.#run(attempt);
    const waits = attempt.running && !this.#over && attempt.number < maxAttempts;
    if (waits) void this.#hedgeWhenSlow(attempt);
  }

  /** From the second attempt on, each waits for itself: the call waits when all that run do. */
  #partAttempts(): void {
    const running = this.#attempts.filter((attempt) => attempt.running);
    for (const { scope } of running) beginPart(scope);
  }

  async #run(attempt: Attempt): Promise<void> {
    const { observer } = this.#host;
    const { number, scope } = attempt;
    const span = observer.begin(number, this.#call);
    let value: T;
    try {
      value = await (span === undefined
        ? this.#operation(scope)
        : span.run(() => this.#operation(scope)));
    } catch (error) {
      const outcome: Outcome<T> = { ok: false, error };
      observer.end(span, scope.endedBy === 'hedge' ? undefined : outcome);
      this.#failed(attempt, outcome);
      return;
    }
    observer.end(span);
    this.#succeeded(attempt, value);
  }

  /**
   * Starts the next attempt when this one has been waited for long enough. The wait is awaited, so that
   * the attempt and its hook run in the asynchronous context of this call: the timer is shared.
   */
  async #hedgeWhenSlow(attempt: Attempt): Promise<void> {
    await new Promise<void>((due) => {
      // Without a timer the attempts that run are all there will be.
      notify(this.#host.options.name, 'delayMs', () => {
        this.#wait = this.#host.wait(this.#event(), due);
      });
    });
    // An attempt whose items are being delivered is not slow.
    if (isCommitted(attempt.scope)) return;
    if (!this.#over && attempt.number === this.#attempts.length) this.#next('slow');
  }

  #event(): HedgeEvent {
    return {
      policy: this.#host.options.name,
      attempt: this.#attempts.length + 1,
      operation: this.#call.operation,
    };
  }

  /** @returns whether another attempt has started */
  #next(because: 'slow' | 'failed'): boolean {
    const { budget, starts } = this.#host;
    const { name, maxAttempts, clock } = this.#host.options;
    const { attempts } = this.#host.observer;
    const call = this.#call;
    if (this.#attempts.length >= maxAttempts) return false;
    if (call.aborted || call.remainingMs(clock) <= 0) return false;
    if (budget !== undefined && !ask(name, 'budget.withdraw', () => budget.withdraw(1))) {
      attempts.refused++;
      return false;
    }
    this.#wait?.cancel();
    this.#wait = undefined;
    if (!starts.empty) starts.emit({ ...this.#event(), because }, call);
    if (call.aborted) {
      this.#refund(); // by a listener or the budget
      return false;
    }
    attempts.started++;
    this.start();
    return true;
  }

  #succeeded(attempt: Attempt, value: T): void {
    if (this.#over) {
      this.#discard(value);
      return;
    }
    const outcome: Outcome<T> = { ok: true, value };
    const { name, shouldHandle } = this.#host.options;
    if (shouldHandle !== undefined && decide(name, shouldHandle, outcome, attempt.scope)) {
      this.#failed(attempt, outcome);
      return;
    }
    this.#settle(attempt, outcome);
    const first = attempt.number === 1;
    if (first) this.#observe(attempt);
    this.#host.answered();
    if (this.#failures.length > 0) attempt.scope.noteFailure(undefined);
    this.#finish(first ? 'success' : 'hedged');
    this.#discardFailures();
    this.#resolve(value);
  }

  /** An attempt beyond the first was not made, or has not reached the dependency. */
  #refund(): void {
    const { budget, options } = this.#host;
    if (budget !== undefined) notify(options.name, 'budget.refund', () => budget.refund?.(1));
  }

  #failed(attempt: Attempt, outcome: Outcome<T>): void {
    if (attempt.number > 1 && isUnheard(attempt.scope)) this.#refund();
    if (this.#over) {
      if (!outcome.ok) discardBody(outcome.error); // it has lost
      return;
    }
    this.#settle(attempt, outcome);
    this.#failures.push(outcome);
    if (!outcome.ok) attempt.scope.noteFailure(outcome.error);
    if (this.#call.aborted) {
      if (this.#running === 0) this.#end('aborted', { ok: false, error: this.#call.reason });
      return;
    }
    // A refusal by our own policy is not an answer of the dependency: it ends no attempt that runs,
    // and hides no failure that an earlier one has had.
    const refused = !outcome.ok && isRefusal(outcome.error);
    if (refused && this.#running > 0) return;
    if (!outcome.ok && !this.#handles(outcome, attempt)) {
      // The predicate may have ended the call.
      if (this.#call.aborted) this.#end('aborted', { ok: false, error: this.#call.reason });
      else this.#end('failure', refused ? this.#verdict() : outcome);
      return;
    }
    if (this.#next('failed') || this.#running > 0) return;
    if (this.#call.aborted) this.#end('aborted', { ok: false, error: this.#call.reason });
    else this.#end('failure', this.#verdict());
  }

  #handles(outcome: Outcome<T>, { scope }: Attempt): boolean {
    const { name, shouldHandle } = this.#host.options;
    if (isCommitted(scope)) return false;
    return shouldHandle === undefined
      ? isTransient(outcome)
      : decide(name, shouldHandle, outcome, scope);
  }

  /** What the call ends with when all attempts have failed. */
  #verdict(): Outcome<T> {
    const value = this.#failures.findLast((failure) => failure.ok);
    if (value !== undefined) return value;
    const errors = this.#failures.map((failure) => (failure as { error: unknown }).error);
    // If all were refused, the call was refused.
    if (errors.length === 1 || errors.every(isRefusal)) return { ok: false, error: errors[0] };
    return { ok: false, error: new HedgeFailedError(this.#host.options.name, errors) };
  }

  #end(outcome: HedgeOutcome, verdict: Outcome<T>): void {
    this.#finish(outcome);
    this.#discardFailures(verdict);
    if (verdict.ok) this.#resolve(verdict.value);
    else this.#reject(verdict.error);
  }

  #settle(attempt: Attempt, outcome: Outcome<T>): void {
    attempt.running = false;
    this.#running--;
    if (this.#attempts.length > 1) endPart(attempt.scope, outcome.ok ? undefined : outcome);
    attempt.scope.release();
  }

  /** Ends the attempts that still run. */
  #finish(outcome: HedgeOutcome): void {
    this.#over = true;
    this.#wait?.cancel();
    this.#wait = undefined;
    const lost = this.#running > 0 ? new HedgeLostError(this.#host.options.name) : undefined;
    for (const attempt of this.#attempts) {
      const { number, scope, running } = attempt;
      if (!running) continue;
      if (number === 1) this.#host.observed?.recordCutOff(this.#elapsedMs(attempt));
      scope.end('hedge', lost);
      endPart(scope); // an attempt that is running has lost against another one
      scope.release();
    }
    this.#host.observer.calls[outcome]++;
  }

  /** An answer that is not the operation's does not tell how long it takes. */
  #observe(attempt: Attempt): void {
    const { observed } = this.#host;
    const { timing } = attempt.scope;
    if (timing === 'measured') observed?.record(this.#elapsedMs(attempt));
    else if (timing === 'longer') observed?.recordCutOff(this.#elapsedMs(attempt));
  }

  /** Only first attempts are a fair sample: the others run while things are slow. */
  #elapsedMs({ startedAt }: Attempt): number {
    return this.#host.options.clock.monotonic() - startedAt;
  }

  #discardFailures(kept?: Outcome<T>): void {
    const holdsAll = kept?.ok === false && kept.error instanceof HedgeFailedError;
    for (const failure of this.#failures) {
      if (failure === kept) continue;
      if (failure.ok) this.#discard(failure.value);
      else if (!holdsAll) discardBody(failure.error);
    }
  }

  #discard(value: unknown): void {
    const { name, onDiscard } = this.#host.options;
    notify(name, 'onDiscard', onDiscard ?? discard, value);
  }
}
