import { type CallOptions, isFailure, type Operation, type Outcome } from '@temper/core';
import {
  Call,
  type CallObservation,
  decide,
  enterCall,
  invoke,
  isNeutral,
  Listeners,
  PolicyBase,
  type PolicyDescription,
  retryAfterOf,
} from '@temper/core/policy';
import type { Circuit, CircuitState } from './circuit/circuit.ts';
import * as circuits from './circuit/circuit.ts';
import { openDuration } from './circuit/open-duration.ts';
import {
  type BreakerSnapshot,
  checkSnapshot,
  loadCircuit,
  loadWindow,
  saveCircuit,
} from './circuit/snapshot.ts';
import { tripReason } from './circuit/trip.ts';
import { createWindow, type Window, type WindowRatios, windowRatios } from './circuit/window.ts';
import type { BreakerStats, CircuitBreaker } from './contract.ts';
import { CircuitOpenError, causeOf, describeFailure } from './errors.ts';
import type { StateChange, TransitionReason } from './events.ts';
import { Isolation } from './isolation.ts';
import {
  type BreakerMode,
  type CircuitBreakerOptions,
  modeRule,
  type ResolvedBreakerOptions,
  resolveBreakerOptions,
} from './options.ts';
import type { CallOutcome } from './semconv.ts';
import type { Fleet } from './sharing.ts';
import { BreakerObserver } from './telemetry.ts';

/** What an outcome says about the dependency. */
type Verdict = 'success' | 'failure' | 'ignored';

/** A call that runs while the circuit is half-open. */
interface Trial {
  readonly begunAt: number;
  /** Present when the whole fleet waits for the result. */
  readonly lease?: string | undefined;
}

class Breaker extends PolicyBase implements CircuitBreaker {
  readonly #options: ResolvedBreakerOptions;
  readonly #window: Window;
  readonly #observer: BreakerObserver;
  readonly #listeners: Listeners<StateChange>;
  readonly #isolation: Isolation;
  readonly #fleet: Fleet | undefined;
  /** As of the last look. Time alone changes it at {@link Circuit.until} only. */
  #circuit: Circuit;
  #mode: BreakerMode;
  #lastFailureAt: number | undefined;
  #changedAt: number | undefined;
  /** Why the circuit is open, in the words of the last rejection. */
  #said: { readonly failure: Outcome<unknown>; readonly text: string } | undefined;

  constructor(options: ResolvedBreakerOptions) {
    const { name, clock, spans, mode, window, shared, onStateChange } = options;
    super(name, clock);
    this.#options = options;
    this.#mode = mode;
    this.#circuit = circuits.newCircuit(clock.monotonic());
    this.#window = createWindow(window);
    this.#observer = new BreakerObserver(this, spans, clock);
    this.#listeners = new Listeners(name, 'onStateChange');
    if (onStateChange !== undefined) this.#listeners.add(onStateChange);
    this.#isolation = new Isolation(
      () => this.#change(circuits.isolated(this.#circuit, clock.monotonic()), 'isolated'),
      () => this.#close('released'),
    );
    this.#fleet = shared?.join({
      name,
      clock,
      successThreshold: options.successThreshold,
      halfOpenMaxDurationMs: options.halfOpenMaxDurationMs,
      remainingMs: (at) => {
        const { state, until } = this.#look(at);
        return state === 'open' ? until - at : 0;
      },
      follow: (at, forMs) => this.#follow(at, forMs),
      close: () => this.#close('fleet'),
    });
  }

  runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    let circuit = this.#circuit;
    if (this.#mode === 'disabled' && circuit.state !== 'isolated') return invoke(operation, call);
    if (circuit.state !== 'closed' || this.#fleet !== undefined) {
      const at = this.clock.monotonic();
      this.#fleet?.touch(at);
      circuit = this.#look(at);
      if (circuit.state !== 'closed') {
        return this.#rejects(at)
          ? rejectLater(this.#rejection(call, at))
          : this.#runTrial(operation, call, at);
      }
    }
    return this.#run(operation, call, circuit);
  }

  /** An open circuit answers without a throw, and with nothing asynchronous but the promise. */
  override tryExecute<T>(operation: Operation<T>, options?: CallOptions): Promise<Outcome<T>> {
    if (this.#circuit.state === 'closed') return super.tryExecute(operation, options);
    const at = this.clock.monotonic();
    this.#fleet?.touch(at);
    if (this.#look(at).state === 'closed' || !this.#rejects(at)) {
      return super.tryExecute(operation, options);
    }
    const reject = async (call: Call): Promise<Outcome<never>> => ({
      ok: false,
      error: this.#rejection(call, at),
    });
    if (options === undefined && typeof operation === 'function') return reject(new Call());
    // The options are checked, and a signal that has aborted goes first.
    const rejecting = {
      runInCall: (_operation: unknown, call: Call) => reject(call) as Promise<never>,
    };
    return enterCall<Outcome<T>>(
      rejecting,
      operation as never,
      options,
      this.name,
      this.clock,
    ).catch((error: unknown) => ({ ok: false, error }));
  }

  /** @param circuit - the circuit that let the call through; it is another one when the call ends */
  async #run<T>(operation: Operation<T>, call: Call, circuit: Circuit, trial?: Trial): Promise<T> {
    const { shouldHandle, slowCallDurationMs } = this.#options;
    const observed = this.#observer.begin(call, circuit.state);
    // Reading the clock is a large part of the cost of a call: it is read where it is needed.
    const startedAt = slowCallDurationMs === undefined ? 0 : this.clock.monotonic();
    let value: T;
    try {
      value = await (observed === undefined
        ? operation(call)
        : observed.run(() => operation(call)));
    } catch (error) {
      const outcome = { ok: false, error } as const;
      this.#ended(circuit, trial, startedAt, this.#judge(outcome, call), outcome, observed);
      throw error;
    }
    const outcome = { ok: true, value } as const;
    // A value in time is a success, unless the user says otherwise.
    const verdict =
      shouldHandle === undefined && call.endedBy === undefined
        ? 'success'
        : this.#judge(outcome, call);
    this.#ended(circuit, trial, startedAt, verdict, outcome, observed);
    return value;
  }

  #runTrial<T>(operation: Operation<T>, call: Call, at: number): Promise<T> {
    this.#circuit = circuits.withTrial(this.#circuit, at, this.#options);
    const circuit = this.#circuit;
    const run = (lease?: string): Promise<T> =>
      this.#run(operation, call, circuit, { begunAt: at, lease });
    if (this.#fleet === undefined) return run();
    return this.#fleet.runTrial(call, {
      run,
      isCurrent: () => this.#look(this.clock.monotonic()).generation === circuit.generation,
      withdraw: () => this.#settle(circuit, { begunAt: at }, 'ignored', false, undefined),
      enterAgain: () => this.runInCall(operation, call),
    });
  }

  /** By facts first, then by the predicate. */
  #judge(outcome: Outcome<unknown>, call: Call): Verdict {
    if (isNeutral(outcome, call)) return 'ignored';
    const { shouldHandle } = this.#options;
    const failed =
      shouldHandle === undefined
        ? call.endedBy !== undefined || isFailure(outcome) // ended by a timeout or the deadline
        : decide(this.name, shouldHandle, outcome, call);
    if (failed) return 'failure';
    return outcome.ok ? 'success' : 'ignored';
  }

  #ended(
    circuit: Circuit,
    trial: Trial | undefined,
    startedAt: number,
    verdict: Verdict,
    outcome: Outcome<unknown>,
    observed: CallObservation<CallOutcome> | undefined,
  ): void {
    const { slowCallDurationMs } = this.#options;
    const slow =
      slowCallDurationMs !== undefined && this.clock.monotonic() - startedAt > slowCallDurationMs;
    const counted = slow && verdict === 'success' ? 'slow' : verdict;
    this.#observer.calls[counted]++;
    if (verdict === 'failure') this.#lastFailureAt = this.clock.now();
    observed?.end(counted, verdict === 'failure' ? outcome : undefined);
    this.#settle(circuit, trial, verdict, slow, outcome);
    if (trial?.lease !== undefined) {
      const result = counted === 'slow' ? 'failure' : verdict;
      this.#fleet?.endTrial(trial.lease, result, this.#circuit.openMs);
    }
  }

  /** Counts a result, if the circuit is still in the state that the call began in. */
  #settle(
    began: Circuit,
    trial: Trial | undefined,
    verdict: Verdict,
    slow: boolean,
    outcome: Outcome<unknown> | undefined,
  ): void {
    if (trial === undefined) {
      if (verdict === 'ignored' || this.#circuit.generation !== began.generation) return;
      const at = this.#window.kind === 'time' ? this.clock.monotonic() : 0;
      const failed = verdict === 'failure';
      this.#window.record(failed, slow, at);
      if (!(failed || slow) || this.#mode !== 'enabled') return;
      const reason = tripReason(this.#window.counts(at), this.#options);
      if (reason !== undefined) this.#open(this.clock.monotonic(), outcome, reason);
      return;
    }
    const at = this.clock.monotonic();
    const circuit = this.#look(at);
    if (circuit.generation !== began.generation) return;
    if (verdict === 'failure' || (slow && verdict === 'success')) {
      this.#open(at, outcome, 'trial-failed');
    } else {
      const succeeded = verdict === 'success';
      const next = circuits.withoutTrial(circuit, trial.begunAt, succeeded, at, this.#options);
      this.#change(next, 'trials-succeeded');
    }
  }

  /** The circuit now: what time changes is derived when it is looked at, so that no timer is needed. */
  #look(at: number): Circuit {
    while (at >= this.#circuit.until) {
      const { state, until, failure } = this.#circuit;
      if (state === 'open') this.#change(circuits.halfOpened(this.#circuit), 'elapsed');
      // A trial that has run for too long failed when its time was up, not when somebody looked.
      else this.#open(until, failure, 'trial-timed-out');
    }
    return this.#circuit;
  }

  #open(at: number, failure: Outcome<unknown> | undefined, reason: TransitionReason): void {
    const circuit = this.#circuit;
    const { name, respectRetryAfter, clock } = this.#options;
    const openings = circuits.nextOpenings(circuit, at, this.#options);
    const cause = causeOf(failure);
    // An HTTP date is on the wall clock.
    const askedMs = respectRetryAfter ? retryAfterOf(cause, clock.now()) : undefined;
    const event = { policy: name, openings, failure: cause, retryAfterMs: askedMs };
    const openMs = openDuration(this.#options, event);
    // The user's openDurationMs may have changed the circuit, which then takes precedence.
    if (this.#circuit === circuit)
      this.#change(circuits.opened(circuit, at, { openings, openMs, failure }), reason);
  }

  #close(reason: TransitionReason): void {
    const at = this.clock.monotonic();
    const circuit = this.#look(at);
    if (circuit.state !== 'closed') this.#change(circuits.closed(circuit, at, 0), reason);
    this.#window.reset();
  }

  #follow(at: number, forMs: number): boolean {
    const { state } = this.#circuit;
    if (this.#mode !== 'enabled' || state === 'isolated') return false;
    // Already where the fleet is: a running trial must not be disturbed.
    if (forMs > 0 || state !== 'half-open') {
      this.#change(circuits.followed(this.#circuit, at, forMs), 'fleet');
    }
    return true;
  }

  #change(to: Circuit, reason: TransitionReason): void {
    const from = this.#circuit;
    this.#circuit = to;
    if (to.state === from.state) return;
    if (to.state === 'closed') this.#window.reset();
    const isOpen = to.state === 'open';
    const change: StateChange = {
      policy: this.name,
      from: from.state,
      to: to.state,
      reason,
      at: this.clock.now(),
      openMs: isOpen ? to.openMs : undefined,
      failure: isOpen ? causeOf(to.failure) : undefined,
    };
    this.#changedAt = change.at;
    this.#observer.changed(change, isOpen ? to.failure : undefined);
    this.#fleet?.changed(to, reason, this.clock.monotonic());
    this.#listeners.emit(change);
  }

  /** Whether a circuit that is not closed rejects a call now. */
  #rejects(at: number): boolean {
    return !circuits.admits(this.#circuit, this.#options) || (this.#fleet?.waitMs(at) ?? 0) > 0;
  }

  #rejection(call: Call, at: number): CircuitOpenError {
    const { state, failure } = this.#circuit;
    // Scrubbing a text takes longer than everything else here: it is done once per opening.
    if (failure !== undefined && failure !== this.#said?.failure) {
      this.#said = { failure, text: describeFailure(failure) };
    }
    const error = new CircuitOpenError(this.name, {
      state: state as CircuitOpenError['state'],
      retryAfterMs: this.#retryAfterMs(at),
      cause: causeOf(failure),
      reason: failure === undefined ? undefined : this.#said?.text,
      stack: this.#options.errorStack,
    });
    this.#observer.rejected(call, state, error);
    return error;
  }

  #retryAfterMs(at: number): number | undefined {
    const waitMs = this.#circuit.state === 'half-open' ? (this.#fleet?.waitMs(at) ?? 0) : 0;
    return waitMs > 0 ? waitMs : circuits.retryAfterMs(this.#circuit, at, this.#options);
  }

  get state(): CircuitState {
    return this.#look(this.clock.monotonic()).state;
  }

  get mode(): BreakerMode {
    return this.#mode;
  }

  set mode(mode: BreakerMode) {
    modeRule('circuitBreaker', 'mode', mode);
    if (mode === this.#mode) return;
    this.#mode = mode;
    if (this.#circuit.state !== 'isolated') this.#close('mode');
  }

  onStateChange(listener: (change: StateChange) => void): Disposable {
    return this.#listeners.add(listener);
  }

  isolate(): Disposable {
    return this.#isolation.hold();
  }

  reset(): void {
    if (this.#circuit.state !== 'isolated') this.#close('reset');
  }

  snapshot(): BreakerSnapshot {
    const at = this.clock.monotonic();
    return {
      ...saveCircuit(this.#look(at), at),
      takenAt: this.clock.now(),
      window: { kind: this.#window.kind, calls: this.#window.save(at) },
    };
  }

  restore(snapshot: BreakerSnapshot): void {
    checkSnapshot(snapshot);
    const at = this.clock.monotonic();
    const circuit = this.#look(at);
    if (circuit.state === 'isolated') return;
    // A wall clock that was set back must not keep the circuit open.
    const agoMs = Math.max(0, this.clock.now() - snapshot.takenAt);
    if (this.#mode === 'enabled') {
      const { maxOpenDurationMs } = this.#options;
      this.#change(loadCircuit(circuit, snapshot, at, agoMs, maxOpenDurationMs), 'restored');
    }
    loadWindow(this.#window, snapshot, at, agoMs);
  }

  ratios(): WindowRatios {
    return windowRatios(this.#window.counts(this.clock.monotonic()), this.#options);
  }

  stats(): BreakerStats {
    const at = this.clock.monotonic();
    const { state, openings, trials, successes } = this.#look(at);
    return {
      state,
      mode: this.#mode,
      calls: { ...this.#observer.calls },
      window: this.#window.counts(at),
      openings,
      trials: { running: trials.length, successes },
      retryAfterMs: this.#retryAfterMs(at),
      lastFailureAt: this.#lastFailureAt,
      changedAt: this.#changedAt,
      shared: this.#fleet?.stats(),
    };
  }

  override describe(): PolicyDescription {
    return { kind: 'breaker' };
  }

  [Symbol.dispose](): void {
    this.#observer[Symbol.dispose]();
  }
}

/**
 * Rejects one step later. A promise that is rejected before its caller has it is reported to Node as
 * unhandled and then as handled, which takes twice as long as the rest of a rejection.
 */
async function rejectLater(error: Error): Promise<never> {
  await undefined;
  throw error;
}

/**
 * Creates a policy that stops calling a dependency that fails, and tries it again with a bounded number
 * of calls.
 *
 * ```ts
 * const payments = circuitBreaker({ name: 'payments' });
 * const receipt = await payments.execute(({ signal }) => charge(order, signal));
 * ```
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range; the message names the
 * option, the range and the value
 */
export function circuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreaker {
  return new Breaker(resolveBreakerOptions(options));
}
