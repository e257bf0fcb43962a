import type { CallOptions, Operation, Outcome } from '@temper/core';
import {
  Call,
  enterCall,
  invoke,
  Listeners,
  PolicyBase,
  type PolicyDescription,
  retryAfterOf,
} from '@temper/core/policy';
import type { Begun, Trial } from './begun.ts';
import type { Circuit, CircuitState } from './circuit/circuit.ts';
import * as circuits from './circuit/circuit.ts';
import { openDuration } from './circuit/open-duration.ts';
import {
  type BreakerSnapshot,
  checkSnapshot,
  loadCircuit,
  loadWindow,
  takeSnapshot,
} from './circuit/snapshot.ts';
import { tripReason } from './circuit/trip.ts';
import { createWindow, type Window, type WindowRatios, windowRatios } from './circuit/window.ts';
import type { BreakerStats, CircuitBreaker } from './contract.ts';
import { CircuitOpenError, causeOf, describeFailure, rejectLater } from './errors.ts';
import type { StateChange, TransitionReason } from './events.ts';
import { Isolation } from './isolation.ts';
import {
  type BreakerMode,
  type CircuitBreakerOptions,
  modeRule,
  type ResolvedBreakerOptions,
  resolveBreakerOptions,
} from './options.ts';
import type { Fleet } from './sharing.ts';
import { BreakerObserver, observeLevels, watch } from './telemetry.ts';
import { judge, outcomeOf, type Verdict } from './verdict.ts';

class Breaker extends PolicyBase implements CircuitBreaker {
  readonly #options: ResolvedBreakerOptions;
  readonly #window: Window;
  /** Whether it matters when a call ended. */
  readonly #timed: boolean;
  readonly #levels: Disposable;
  readonly #fleet: Fleet | undefined;
  // Created when they are needed: an idle breaker is to take less than 1 KB.
  #observer: BreakerObserver | undefined;
  #listeners: Listeners<StateChange> | undefined;
  #isolation: Isolation | undefined;
  /** As of the last look. */
  #circuit: Circuit;
  #mode: BreakerMode;
  #lastFailureAt: number | undefined;
  #changedAt: number | undefined;
  /** Shared by the calls of which nothing else needs to be known. */
  #plain: Begun | undefined;
  /** Why the circuit is open, in the words of the last rejection. */
  #said: { readonly failure: Outcome<unknown>; readonly text: string } | undefined;

  constructor(options: ResolvedBreakerOptions) {
    const { name, clock, shared, onStateChange } = options;
    super(name, clock);
    this.#options = options;
    this.#mode = options.mode;
    this.#circuit = circuits.newCircuit(clock.monotonic());
    this.#window = createWindow(options.window);
    this.#timed = this.#window.kind === 'time' || options.slowCallDurationMs !== undefined;
    this.#levels = observeLevels(this);
    if (onStateChange !== undefined) this.onStateChange(onStateChange);
    this.#fleet = shared?.join({
      name,
      clock,
      successThreshold: options.successThreshold,
      halfOpenMaxDurationMs: options.halfOpenMaxDurationMs,
      circuit: (at) => this.#look(at),
      follow: (at, forMs) => this.#follow(at, forMs),
      close: () => this.#close('fleet'),
    });
  }

  runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    let circuit = this.#circuit;
    if (this.#mode === 'disabled' && circuit.state !== 'isolated') return invoke(operation, call);
    if (circuit.state !== 'closed' || this.#fleet !== undefined) {
      const at = this.clock.monotonic();
      if (this.#rejects(at)) return rejectLater(this.#rejection(call, at));
      circuit = this.#circuit;
      if (circuit.state !== 'closed') return this.#runTrial(operation, call, at);
    }
    return this.#run(operation, call, this.#begin(call, circuit));
  }

  /** An open circuit answers without a throw, and with nothing asynchronous but the promise. */
  override tryExecute<T>(operation: Operation<T>, options?: CallOptions): Promise<Outcome<T>> {
    if (this.#circuit.state === 'closed') return super.tryExecute(operation, options);
    const at = this.clock.monotonic();
    if (!this.#rejects(at)) return super.tryExecute(operation, options);
    const reject = (call: Call): Promise<Outcome<never>> =>
      Promise.resolve({ ok: false, error: this.#rejection(call, at) });
    if (options === undefined && typeof operation === 'function') return reject(new Call());
    return this.#tryReject(reject, operation, options);
  }

  /** Checks the options first; a signal that has aborted takes precedence over the rejection. */
  async #tryReject<T>(
    reject: (call: Call) => Promise<Outcome<never>>,
    operation: Operation<T>,
    options: CallOptions | undefined,
  ): Promise<Outcome<T>> {
    try {
      const runInCall = (_: unknown, call: Call): Promise<never> => reject(call) as Promise<never>;
      const outcome = await enterCall({ runInCall }, operation, options, this.name, this.clock);
      return outcome as Outcome<T>;
    } catch (error) {
      return { ok: false, error };
    }
  }

  async #run<T>(operation: Operation<T>, call: Call, begun: Begun): Promise<T> {
    const { observed } = begun;
    let value: T;
    try {
      value = await (observed === undefined ? operation(call) : watch(observed, operation, call));
    } catch (error) {
      this.#ended(begun, call, false, error);
      throw error;
    }
    this.#ended(begun, call, true, value);
    return value;
  }

  #begin(call: Call, circuit: Circuit, trial?: Trial): Begun {
    const { slowCallDurationMs } = this.#options;
    const observed = this.#observe().begin(call, circuit.state);
    if (observed === undefined && trial === undefined && slowCallDurationMs === undefined) {
      // Nothing distinguishes this call from the others that this circuit lets through.
      if (this.#plain?.circuit === circuit) return this.#plain;
      this.#plain = { circuit, startedAt: 0, trial, observed };
      return this.#plain;
    }
    // Reading the clock is a large part of the cost of a call: it is read where it is needed.
    const startedAt = slowCallDurationMs === undefined ? 0 : this.clock.monotonic();
    return { circuit, startedAt, trial, observed };
  }

  #runTrial<T>(operation: Operation<T>, call: Call, at: number): Promise<T> {
    const circuit = circuits.withTrial(this.#circuit, at, this.#options);
    this.#circuit = circuit;
    const { generation } = circuit;
    const trial = { generation, begunAt: at };
    if (this.#fleet === undefined) {
      return this.#run(operation, call, this.#begin(call, circuit, trial));
    }
    return this.#fleet.runTrial(call, {
      run: (lease) => this.#run(operation, call, this.#begin(call, circuit, { ...trial, lease })),
      isCurrent: () => this.#look(this.clock.monotonic()).generation === generation,
      withdraw: () => this.#endTrial(trial, 'ignored', this.clock.monotonic()),
      enterAgain: () => this.runInCall(operation, call),
    });
  }

  /** @param result - the value, or the error unless `ok` */
  #ended(begun: Begun, call: Call, ok: boolean, result: unknown): void {
    const { circuit, startedAt, trial, observed } = begun;
    const { slowCallDurationMs, shouldHandle } = this.#options;
    // By default a value in time is a success: there is nothing to judge.
    const plain = ok && shouldHandle === undefined && call.endedBy === undefined;
    const outcome = plain ? undefined : outcomeOf(ok, result);
    const verdict = outcome === undefined ? 'success' : judge(outcome, call, this.#options);
    const timed = this.#timed || trial !== undefined || verdict !== 'success';
    const at = timed ? this.clock.monotonic() : 0;
    const slow = slowCallDurationMs !== undefined && at - startedAt > slowCallDurationMs;
    const counted = slow && verdict === 'success' ? 'slow' : verdict;
    this.#observe().calls[counted]++;
    if (verdict === 'failure') this.#lastFailureAt = this.clock.now();
    observed?.end(counted, verdict === 'failure' ? outcome : undefined);
    if (trial !== undefined) {
      this.#endTrial(trial, counted === 'slow' ? 'failure' : verdict, at, outcome);
    } else if (verdict !== 'ignored' && circuit.generation === this.#circuit.generation) {
      // The circuit is still in the state that the call began in.
      this.#window.record(verdict === 'failure', slow, at);
      if (verdict === 'failure' || slow) this.#trip(at, outcome);
    }
  }

  #trip(at: number, outcome: Outcome<unknown> | undefined): void {
    if (this.#mode !== 'enabled') return;
    const reason = tripReason(this.#window.counts(at), this.#options);
    if (reason !== undefined) this.#open(at, outcome, reason);
  }

  #endTrial(trial: Trial, verdict: Verdict, at: number, outcome?: Outcome<unknown>): void {
    const { generation, begunAt, lease } = trial;
    const circuit = this.#look(at);
    if (circuit.generation === generation) {
      if (verdict === 'failure') {
        this.#open(at, outcome, 'trial-failed');
      } else {
        const succeeded = verdict === 'success';
        const next = circuits.withoutTrial(circuit, begunAt, succeeded, at, this.#options);
        this.#change(next, 'trials-succeeded');
      }
    }
    if (lease !== undefined) this.#fleet?.endTrial(lease, verdict, this.#circuit.openMs);
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
    // Nothing is due while the user's openDurationMs runs, which may look at the breaker.
    const circuit = { ...this.#circuit, until: Number.POSITIVE_INFINITY };
    this.#circuit = circuit;
    const { name, respectRetryAfter, clock } = this.#options;
    const openings = circuits.nextOpenings(circuit, at, this.#options);
    const cause = causeOf(failure);
    // An HTTP date is on the wall clock.
    const askedMs = respectRetryAfter ? retryAfterOf(cause, clock.now()) : undefined;
    const event = { policy: name, openings, failure: cause, retryAfterMs: askedMs };
    const openMs = openDuration(this.#options, event);
    if (this.#circuit !== circuit) return; // it has changed the circuit, which takes precedence
    this.#change(circuits.opened(circuit, at, { openings, openMs, failure }), reason);
  }

  #close(reason: TransitionReason): void {
    const at = this.clock.monotonic();
    const circuit = this.#look(at);
    if (circuit.state !== 'closed') this.#change(circuits.closed(circuit, at, 0), reason);
    this.#window.reset();
  }

  #follow(at: number, forMs: number): boolean {
    if (this.#mode !== 'enabled' || this.#circuit.state === 'isolated') return false;
    this.#change(circuits.followed(this.#circuit, at, forMs), 'fleet');
    return true;
  }

  #change(to: Circuit, reason: TransitionReason): void {
    const from = this.#circuit;
    this.#circuit = to;
    if (to.state === from.state) return;
    if (to.state === 'closed') {
      this.#window.reset();
      this.#said = undefined; // keeps the error that opened the circuit
    }
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
    this.#observe().changed(change, isOpen ? to.failure : undefined);
    this.#fleet?.changed(to, reason, this.clock.monotonic());
    this.#listeners?.emit(change);
  }

  /** Whether a call that comes now is rejected. */
  #rejects(at: number): boolean {
    this.#fleet?.touch(at);
    const circuit = this.#look(at);
    const waitMs = circuit.state === 'closed' ? 0 : (this.#fleet?.waitMs(at) ?? 0);
    return waitMs > 0 || !circuits.admits(circuit, this.#options);
  }

  #observe(): BreakerObserver {
    this.#observer ??= new BreakerObserver(this, this.#options);
    return this.#observer;
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
    this.#observe().rejected(call, state, error);
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
    this.#listeners ??= new Listeners(this.name, 'onStateChange');
    return this.#listeners.add(listener);
  }

  isolate(): Disposable {
    this.#isolation ??= new Isolation(
      () => this.#change(circuits.isolated(this.#circuit, this.clock.monotonic()), 'isolated'),
      () => this.#close('released'),
    );
    return this.#isolation.hold();
  }

  reset(): void {
    if (this.#circuit.state !== 'isolated') this.#close('reset');
  }

  snapshot(): BreakerSnapshot {
    const at = this.clock.monotonic();
    return takeSnapshot(this.#look(at), this.#window, at, this.clock.now());
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
      calls: { ...this.#observe().calls },
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
    this.#levels[Symbol.dispose]();
  }
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
