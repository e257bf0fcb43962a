import {
  type CallContext,
  type ExecuteOptions,
  type ExecutionContext,
  Listeners,
  type Operation,
  type Outcome,
  PolicyBase,
  type PolicyDescription,
  retryAfterOf,
} from '@temper/core';
import { type CircuitState, type CircuitStateName, type Opening, retryAfterMs } from './circuit.ts';
import type { BreakerStats, CircuitBreaker } from './contract.ts';
import { contextOf, pass, reject } from './entry.ts';
import { CircuitOpenError } from './errors.ts';
import { describeChange, type StateChange, type TransitionReason } from './events.ts';
import { type Fleet, joinFleet } from './fleet.ts';
import { Isolation } from './isolation.ts';
import { judgeError, judgeValue, type Verdict } from './judge.ts';
import { CircuitMachine, type MachineOwner } from './machine.ts';
import { openDuration } from './open-duration.ts';
import {
  type BreakerMode,
  type CircuitBreakerOptions,
  checkMode,
  type ResolvedBreakerOptions,
  resolveBreakerOptions,
} from './options.ts';
import { type BreakerSnapshot, restoreSnapshot, takeSnapshot } from './snapshot.ts';
import {
  type BreakerLevels,
  BreakerMeter,
  CallTrace,
  live,
  observeBreaker,
  onListenerError,
  recordTransition,
  unobserveBreaker,
} from './telemetry.ts';
import { makeWindow, ratiosOf, type WindowRatios } from './window.ts';

/** A call that has been let through. */
interface Call {
  readonly generation: number;
  readonly begunAt: number;
  /** Present when the whole fleet waits for the result. */
  readonly lease: string | undefined;
}

class Breaker extends PolicyBase implements CircuitBreaker, MachineOwner, BreakerLevels {
  readonly #options: ResolvedBreakerOptions;
  readonly #machine: CircuitMachine;
  #meter: BreakerMeter | undefined;
  readonly #fleet: Fleet | undefined;
  readonly #observed: WeakRef<BreakerLevels>;
  /** Whether the window needs to know when a call ended. */
  readonly #timed: boolean;
  /** Whether slow calls count, so that how long one takes must be known. */
  readonly #measures: boolean;
  /** Whether a call through the closed circuit needs no more than its outcome counted. */
  #direct = false;
  #mode: BreakerMode;
  #isolation: Isolation | undefined;
  #listeners: Listeners<StateChange> | undefined;
  #lastFailureAt: number | undefined;
  #changedAt: number | undefined;

  constructor(options: ResolvedBreakerOptions) {
    super(options.name, options.clock);
    this.#options = options;
    this.#machine = new CircuitMachine(
      options,
      options.tolerance,
      makeWindow(options.window),
      options.clock.monotonic(),
      this,
    );
    this.#timed = options.window !== undefined && 'durationMs' in options.window;
    this.#measures = options.slowCallDurationMs !== undefined;
    this.#mode = options.mode;
    this.#fleet = joinFleet(options, this.#machine, onListenerError);
    this.#arm();
    if (options.onStateChange !== undefined) this.onStateChange(options.onStateChange);
    this.#observed = observeBreaker(this);
  }

  runInCall<T>(operation: Operation<T>, context: CallContext): Promise<T> {
    const { current } = this.#machine;
    if (current.state === 'closed' && this.#direct && !live.metrics && !live.traces) {
      return this.#runDirect(operation, context, current.generation);
    }
    if (this.#mode === 'disabled' && current.state !== 'isolated') {
      return pass(operation, context);
    }
    if (current.state === 'closed' && this.#fleet === undefined) {
      const begunAt = this.#measures || live.metrics ? this.clock.monotonic() : UNTIMED;
      const call: Call = { generation: current.generation, begunAt, lease: undefined };
      return this.#run(operation, context, 'closed', call);
    }
    const at = this.clock.monotonic();
    const circuit = this.#look(at);
    if (circuit.state === 'closed') {
      const call: Call = { generation: circuit.generation, begunAt: at, lease: undefined };
      return this.#run(operation, context, 'closed', call);
    }
    if (this.#refuses(at)) return reject(this.#refusal(context, circuit, at));
    this.#machine.begin(at);
    const trial: Call = { generation: circuit.generation, begunAt: at, lease: undefined };
    return this.#fleet === undefined
      ? this.#run(operation, context, 'half-open', trial)
      : this.#runShared(this.#fleet, operation, context, trial);
  }

  /** An open circuit answers without a throw, and without anything asynchronous but the promise. */
  override tryExecute<T>(
    operation: Operation<T>,
    options?: ExecuteOptions | ExecutionContext,
  ): Promise<Outcome<T>> {
    if (this.#machine.current.state !== 'closed') {
      const context = contextOf(options);
      const at = this.clock.monotonic();
      const circuit = this.#look(at);
      if (context !== undefined && circuit.state !== 'closed' && this.#refuses(at)) {
        return Promise.resolve({ ok: false, error: this.#refusal(context, circuit, at) });
      }
    }
    return super.tryExecute(operation, options);
  }

  /** A call through the closed circuit that nobody watches: the same as {@link #run}, at less cost. */
  async #runDirect<T>(
    operation: Operation<T>,
    context: CallContext,
    generation: number,
  ): Promise<T> {
    let value: T;
    try {
      value = await operation(context);
    } catch (error) {
      const call: Call = { generation, begunAt: UNTIMED, lease: undefined };
      this.#ended(call, judgeError(error, context, NO_PREDICATES, onListenerError), error);
      throw error;
    }
    (this.#meter ?? this.#counts()).success();
    const machine = this.#machine;
    if (machine.current.generation === generation) {
      machine.window.record(false, false, this.#timed ? this.clock.monotonic() : 0);
    }
    return value;
  }

  async #run<T>(
    operation: Operation<T>,
    context: CallContext,
    state: CircuitStateName,
    call: Call,
  ): Promise<T> {
    const options = this.#options;
    const trace =
      live.traces && options.spans !== 'none'
        ? new CallTrace(this.name, options.spans, state, context, this.clock.now)
        : undefined;
    let value: T;
    try {
      value = await (trace === undefined
        ? operation(context)
        : trace.run(() => operation(context)));
    } catch (error) {
      this.#ended(call, judgeError(error, context, options, onListenerError), error, trace);
      throw error;
    }
    this.#ended(call, judgeValue(value, options, onListenerError), value, trace);
    return value;
  }

  /** A trial on behalf of the fleet: it needs the lease, or else is no trial. */
  async #runShared<T>(
    fleet: Fleet,
    operation: Operation<T>,
    context: CallContext,
    trial: Call,
  ): Promise<T> {
    let refused = true;
    let lease: string | undefined;
    try {
      ({ refused, lease } = await fleet.takeTrial(context.abortable));
    } finally {
      // Refused or aborted: the place is free again, and nothing has been learnt.
      if (refused) this.#machine.settle(trial, 'ignored', false, undefined, this.clock.monotonic());
    }
    if (!refused) return this.#run(operation, context, 'half-open', { ...trial, lease });
    const at = this.clock.monotonic();
    const circuit = this.#machine.look(at);
    if (circuit.state === 'closed') return this.runInCall(operation, context);
    throw this.#refusal(context, circuit, at);
  }

  #ended(call: Call, verdict: Verdict, result: unknown, trace?: CallTrace): void {
    const { begunAt } = call;
    const untimed = begunAt === UNTIMED;
    const at = untimed && verdict === 'success' && !this.#timed ? UNTIMED : this.clock.monotonic();
    const { slowCallDurationMs } = this.#options;
    const slow = slowCallDurationMs !== undefined && at - begunAt > slowCallDurationMs;
    const outcome = verdict === 'success' && slow ? 'slow' : verdict;
    const counts = this.#counts();
    counts.count(outcome);
    if (live.metrics && !untimed) counts.duration(outcome, (at - begunAt) / 1000);
    if (verdict === 'failure') this.#lastFailureAt = this.clock.now();
    trace?.end(outcome, result);
    this.#machine.settle(call, verdict, slow, result, at);
    if (call.lease !== undefined) {
      const trial = outcome === 'slow' ? 'failure' : verdict;
      this.#fleet?.endTrial(call.lease, trial, this.#machine.current.openMs);
    }
  }

  /** Made for the first call: a breaker that nobody calls stays small. */
  #counts(): BreakerMeter {
    this.#meter ??= new BreakerMeter(this.name);
    return this.#meter;
  }

  /** The circuit by now. Whoever shares it hears, and tells, while calls come by. */
  #look(at: number): CircuitState {
    this.#fleet?.touch(at);
    return this.#machine.look(at);
  }

  /** Whether a call that arrives now is turned away. */
  #refuses(at: number): boolean {
    return !this.#machine.admits || (this.#fleet?.waitMs(at) ?? 0) > 0;
  }

  #refusal(context: CallContext, circuit: CircuitState, at: number): CircuitOpenError {
    this.#counts().count('rejected');
    const { spans, errorStack: stack } = this.#options;
    const error = new CircuitOpenError(this.name, {
      state: circuit.state as CircuitOpenError['state'],
      retryAfterMs: this.#retryAfterMs(circuit, at),
      cause: 'failure' in circuit ? circuit.failure : undefined,
      stack,
    });
    if (live.traces && spans !== 'none') {
      new CallTrace(this.name, spans, circuit.state, context, this.clock.now).end(
        'rejected',
        error,
      );
    }
    return error;
  }

  #retryAfterMs(circuit: CircuitState, at: number): number | undefined {
    const waitMs = circuit.state === 'half-open' ? (this.#fleet?.waitMs(at) ?? 0) : 0;
    return waitMs > 0 ? waitMs : retryAfterMs(circuit, at, this.#options);
  }

  openMs({ openings, failure }: Opening): number {
    const { name, respectRetryAfter, clock } = this.#options;
    // An HTTP date is on the wall clock.
    const askedMs = respectRetryAfter ? retryAfterOf(failure, clock.now()) : undefined;
    const event = { policy: name, openings, failure, retryAfterMs: askedMs };
    return openDuration(this.#options, event, onListenerError);
  }

  circuitChanged(from: CircuitState, to: CircuitState, reason: TransitionReason): void {
    const change: StateChange = {
      policy: this.name,
      from: from.state,
      to: to.state,
      reason,
      at: this.clock.now(),
      openMs: to.state === 'open' ? to.openMs : undefined,
      failure: to.state === 'open' ? to.failure : undefined,
    };
    this.#changedAt = change.at;
    recordTransition(change, describeChange(change));
    if (reason === 'trial-timed-out') this.#fleet?.trialTimedOut(to.openMs);
    this.#fleet?.changed(to.state, reason === 'fleet', this.clock.monotonic());
    this.#listeners?.emit(change);
  }

  get state(): CircuitStateName {
    return this.#machine.look(this.clock.monotonic()).state;
  }

  get mode(): BreakerMode {
    return this.#mode;
  }

  set mode(mode: BreakerMode) {
    checkMode(mode);
    if (mode === this.#mode) return;
    this.#mode = mode;
    this.#close('mode');
    this.#arm();
  }

  #arm(): void {
    const { isFailure, ignore, slowCallDurationMs } = this.#options;
    const plain =
      isFailure === undefined && ignore === undefined && slowCallDurationMs === undefined;
    this.#machine.armed = this.#mode === 'enabled';
    this.#direct = plain && this.#fleet === undefined && this.#mode !== 'disabled';
  }

  onStateChange(listener: (change: StateChange) => void): Disposable {
    this.#listeners ??= new Listeners(onListenerError);
    return this.#listeners.add(listener);
  }

  isolate(): Disposable {
    this.#isolation ??= new Isolation(
      () => this.#machine.isolate(),
      () => this.#machine.close(this.clock.monotonic(), 'released'),
    );
    return this.#isolation.hold();
  }

  reset(): void {
    this.#close('reset');
  }

  #close(reason: TransitionReason): void {
    const at = this.clock.monotonic();
    if (this.#machine.look(at).state !== 'isolated') this.#machine.close(at, reason);
  }

  snapshot(): BreakerSnapshot {
    return takeSnapshot(this.#machine, this.clock);
  }

  restore(snapshot: BreakerSnapshot): void {
    restoreSnapshot(this.#machine, snapshot, this.clock, this.#options.maxOpenDurationMs);
  }

  ratios(): WindowRatios {
    const counts = this.#machine.window.counts(this.clock.monotonic());
    return ratiosOf(counts, this.#options);
  }

  stats(): BreakerStats {
    const at = this.clock.monotonic();
    const circuit = this.#machine.look(at);
    const { trials, successes } =
      circuit.state === 'half-open' ? circuit : { trials: [], successes: 0 };
    const fleet = this.#fleet;
    return {
      state: circuit.state,
      mode: this.#mode,
      calls: this.#counts().calls(),
      window: this.#machine.window.counts(at),
      openings: circuit.openings,
      trials: { running: trials.length, successes },
      retryAfterMs: this.#retryAfterMs(circuit, at),
      lastFailureAt: this.#lastFailureAt,
      changedAt: this.#changedAt,
      shared:
        fleet === undefined
          ? undefined
          : { node: fleet.node, fleet: fleet.last, storeErrors: fleet.errors },
    };
  }

  override describe(): PolicyDescription {
    return { kind: 'breaker' };
  }

  [Symbol.dispose](): void {
    unobserveBreaker(this.#observed);
  }
}

const NO_PREDICATES = {};

/** {@link Call.begunAt} of a call whose duration nobody wanted to know when it began. */
const UNTIMED = 0;

/**
 * Makes a policy that stops calling a dependency that fails, and tries it again with a bounded number
 * of calls.
 *
 * ```ts
 * const payments = circuitBreaker({ name: 'payments' });
 * const receipt = await payments.execute(({ signal }) => charge(order, signal));
 * ```
 *
 * @throws {TypeError | RangeError} at construction, when an option is unknown or out of range; the
 * message names the option, the range and the value
 */
export function circuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreaker {
  return new Breaker(resolveBreakerOptions(options));
}
