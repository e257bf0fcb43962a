import type { CallOptions, Operation, Outcome, TelemetryScope } from '@temper/core';
import {
  type Call,
  checkNumber,
  checkType,
  enterCall,
  invoke,
  isGeneratorFunction,
  MeasuredCall,
  PolicyBase,
  type PolicyDescription,
  rejectLater,
} from '@temper/core/policy';
import type { Begun, Trial } from './begun.ts';
import type { Circuit, CircuitState, RunningTrial } from './circuit/circuit.ts';
import type { SavedCalls, Window } from './circuit/window.ts';
import type { BreakerSnapshot, BreakerStats, CircuitBreaker } from './contract.ts';
import { CircuitOpenError, causeOf } from './errors.ts';
import type { StateChange } from './events.ts';
import { type CircuitParts, LiveCircuit } from './live-circuit.ts';
import { watch } from './observer.ts';
import { type BreakerMode, modeRule, type ResolvedBreakerOptions } from './options.ts';
import { isInTrial, runInTrial } from './trial-scope.ts';
import { judge, outcomeOf, wasGivenUp } from './verdict.ts';

/** What a breaker is built with that is not its algorithm. */
export interface BreakerParts extends CircuitParts {
  /** Has the levels read at each collection of metrics, until disposed of. */
  observeLevels(circuit: LiveCircuit, within: TelemetryScope | undefined): Disposable;
  takeSnapshot(circuit: Circuit, window: Window, at: number, now: number): BreakerSnapshot;
  /** Throws on anything but a snapshot. */
  loadSnapshot(
    snapshot: BreakerSnapshot,
    target: {
      readonly current: Circuit;
      readonly window: Window;
      readonly running: readonly RunningTrial[];
      readonly rules: ResolvedBreakerOptions;
      readonly at: number;
      readonly now: number;
    },
  ): { readonly circuit: Circuit; readonly calls: readonly SavedCalls[] | undefined };
}

/** The calls of a breaker: lets them through or rejects them, and judges how they end. */
export class Breaker extends PolicyBase implements CircuitBreaker {
  readonly #options: ResolvedBreakerOptions;
  readonly #parts: BreakerParts;
  readonly #circuit: LiveCircuit;
  /** Whether it matters when a call ended. */
  readonly #timed: boolean;
  readonly #levels: Disposable;
  #lastFailureAt: number | undefined;
  /** Shared by the calls of which nothing else needs to be known. */
  #plain: Begun | undefined;

  constructor(options: ResolvedBreakerOptions, parts: BreakerParts) {
    const { name, clock, onStateChange } = options;
    super(name, clock);
    this.#options = options;
    this.#parts = parts;
    this.#circuit = new LiveCircuit(options, parts);
    const { kind } = this.#circuit.window;
    this.#timed = kind === 'time' || options.slowCallDurationMs !== undefined;
    this.#levels = parts.observeLevels(this.#circuit, options.telemetry);
    if (onStateChange !== undefined) this.onStateChange(onStateChange);
  }

  runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    return this.#enter(operation, call, this.#options.halfOpenMaxWaitMs > 0);
  }

  /** @param mayWait - for its turn, while the circuit is half-open */
  #enter<T>(operation: Operation<T>, call: Call, mayWait: boolean): Promise<T> {
    const live = this.#circuit;
    const { state } = live.current;
    if (live.mode === 'disabled' && state !== 'isolated') return invoke(operation, call);
    if (state !== 'closed' || live.fleet !== undefined) {
      const at = this.clock.monotonic();
      const rejects = live.rejects(at);
      const { current } = live;
      // A call from inside a trial is a part of it: rejected, it would end the trial without a verdict.
      if (isInTrial(current.trials)) {
        return this.#run(operation, call, this.#begin(call, current));
      }
      const queue = rejects && mayWait ? live.queue : undefined;
      if (queue !== undefined) {
        const enter = (): Promise<T> => this.#enter(operation, call, false);
        return queue.wait(call, enter, enter);
      }
      if (rejects) return rejectLater(this.#reject(call, at)());
      if (current.state !== 'closed') return this.#runTrial(operation, call, at);
    }
    return this.#run(operation, call, this.#begin(call, live.current));
  }

  /** An open circuit answers without a throw, and with nothing asynchronous but the promise. */
  override tryExecute<T>(operation: Operation<T>, options?: CallOptions): Promise<Outcome<T>> {
    const live = this.#circuit;
    // A generator is called with its first `next()`, which the circuit then permits or rejects.
    if (live.current.state === 'closed' || isGeneratorFunction(operation)) {
      return super.tryExecute(operation, options);
    }
    const at = this.clock.monotonic();
    if (!live.rejects(at) || live.queue !== undefined || isInTrial(live.current.trials)) {
      return super.tryExecute(operation, options);
    }
    const reject = (call: Call | undefined): Promise<Outcome<never>> =>
      Promise.resolve(this.#rejectedOutcome(call, at));
    if (options === undefined && typeof operation === 'function') return reject(undefined);
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
    const { observed, measured = call } = begun;
    let value: T;
    try {
      value = await (observed?.traced === true
        ? watch(observed, operation, measured)
        : operation(measured));
    } catch (error) {
      this.#ended(begun, call, false, error);
      throw error;
    }
    this.#ended(begun, call, true, value);
    return value;
  }

  #begin(call: Call, circuit: Circuit, trial?: Trial): Begun {
    const { slowCallDurationMs } = this.#options;
    const observed = this.#circuit.observer.begin(call, circuit.state);
    if (observed === undefined && trial === undefined && slowCallDurationMs === undefined) {
      // Nothing distinguishes this call from the others that this circuit lets through.
      if (this.#plain?.circuit === circuit) return this.#plain;
      this.#plain = { circuit, startedAt: 0, measured: undefined, trial, observed };
      return this.#plain;
    }
    // Reading the clock is a large part of the cost of a call: it is read where it is needed.
    const timed = slowCallDurationMs !== undefined;
    const startedAt = timed ? this.clock.monotonic() : 0;
    const measured = timed ? new MeasuredCall(call) : undefined;
    return { circuit, startedAt, measured, trial, observed };
  }

  #runTrial<T>(operation: Operation<T>, call: Call, at: number): Promise<T> {
    const live = this.#circuit;
    const trial = live.admitTrial(at);
    const run = (): Promise<T> =>
      runInTrial(trial, () => this.#run(operation, call, this.#begin(call, live.current, trial)));
    if (live.fleet === undefined) return run();
    return live.fleet.runTrial(call, {
      run: (lease) => {
        live.beginTrial(trial, lease, this.clock.monotonic());
        return run();
      },
      isCurrent: () => live.look(this.clock.monotonic()).trials.includes(trial),
      withdraw: () => live.endTrial(trial, 'ignored', this.clock.monotonic()),
      ended: () => live.endedWaiting(),
      enterAgain: () => this.runInCall(operation, call),
    });
  }

  /** @param result - the value, or the error unless `ok` */
  #ended(begun: Begun, call: Call, ok: boolean, result: unknown): void {
    const { circuit, startedAt, measured, trial, observed } = begun;
    const { slowCallDurationMs, shouldHandle } = this.#options;
    // By default a value in time is a success: there is nothing to judge.
    const plain = ok && shouldHandle === undefined && call.endedBy === undefined;
    const outcome = plain ? undefined : outcomeOf(ok, result);
    const verdict = outcome === undefined ? 'success' : judge(outcome, call, this.#options);
    const timed = this.#timed || trial !== undefined || verdict !== 'success';
    const at = timed ? this.clock.monotonic() : 0;
    // What it waited for our own limits and retries is not the dependency's time.
    const slow =
      slowCallDurationMs !== undefined &&
      at - startedAt - (measured?.waitedMs ?? 0) > slowCallDurationMs;
    // A trial that was given up has proved to be slow, or nothing.
    const provesSlow =
      slow &&
      (verdict === 'success' ||
        (trial !== undefined && outcome !== undefined && wasGivenUp(outcome, call)));
    const given = verdict === 'ignored' && call.cancelled ? 'aborted' : verdict;
    const counted = provesSlow ? 'slow' : given;
    this.#circuit.observer.calls[counted]++;
    if (verdict === 'failure') this.#lastFailureAt = this.clock.now();
    observed?.end(counted, verdict === 'failure' ? outcome : undefined);
    if (trial !== undefined) {
      this.#circuit.endTrial(trial, counted === 'slow' ? 'failure' : verdict, at, outcome);
    } else if (verdict !== 'ignored' && circuit.state === 'closed') {
      // It counts if the circuit is still in the state that the call began in.
      if (circuit.generation !== this.#circuit.current.generation) return;
      this.#circuit.window.record(verdict === 'failure', slow, at);
      if (verdict === 'failure' || slow) this.#circuit.trip(at, outcome);
    }
  }

  /** Rejects a call now. Its error is created when it is first asked for: many callers only need `ok`. */
  #reject(call: Call | undefined, at: number): () => CircuitOpenError {
    const { state, failure } = this.#circuit.current;
    const retryAfterMs = this.#circuit.retryAfterMs(at);
    let error: CircuitOpenError | undefined;
    const create = (): CircuitOpenError => {
      error ??= new CircuitOpenError(this.name, {
        state: state as CircuitOpenError['state'],
        retryAfterMs,
        cause: causeOf(failure),
        reason: failure === undefined ? undefined : this.#circuit.describe(failure),
        stack: this.#options.errorStack,
      });
      return error;
    };
    this.#circuit.observer.rejected(call, state, create);
    return create;
  }

  #rejectedOutcome(call: Call | undefined, at: number): Outcome<never> {
    const create = this.#reject(call, at);
    // A stack trace is that of the call, not of who reads the error.
    if (this.#options.errorStack) return { ok: false, error: create() };
    return {
      ok: false,
      get error() {
        return create();
      },
    };
  }

  get state(): CircuitState {
    return this.#circuit.state;
  }

  get mode(): BreakerMode {
    return this.#circuit.mode;
  }

  set mode(mode: BreakerMode) {
    modeRule('circuitBreaker', 'mode', mode);
    this.#circuit.mode = mode;
  }

  onStateChange(listener: (change: StateChange) => void): Disposable {
    checkType(this.name, 'the listener of onStateChange', listener, 'function');
    return this.#circuit.listen(listener);
  }

  isolate(): Disposable {
    return this.#circuit.isolate();
  }

  forceOpen(openMs?: number): void {
    const max = this.#options.maxOpenDurationMs;
    if (openMs !== undefined) checkNumber('forceOpen', 'openMs', openMs, { min: 0, max });
    this.#circuit.forceOpen(openMs);
  }

  reset(): void {
    if (this.#circuit.current.state !== 'isolated') this.#circuit.close('reset');
  }

  snapshot(): BreakerSnapshot {
    const at = this.clock.monotonic();
    return this.#parts.takeSnapshot(
      this.#circuit.look(at),
      this.#circuit.window,
      at,
      this.clock.now(),
    );
  }

  restore(snapshot: BreakerSnapshot): void {
    const at = this.clock.monotonic();
    const current = this.#circuit.look(at);
    const { circuit, calls } = this.#parts.loadSnapshot(snapshot, {
      current,
      window: this.#circuit.window,
      running: this.#circuit.running,
      rules: this.#options,
      at,
      now: this.clock.now(),
    });
    if (current.state === 'isolated') return;
    if (this.mode === 'enabled') this.#circuit.change(circuit, 'restored');
    if (calls === undefined) return;
    this.#circuit.window.reset();
    this.#circuit.window.load(calls, at);
  }

  stats(): BreakerStats {
    const at = this.clock.monotonic();
    const { state, openings, trials, successes, failures } = this.#circuit.look(at);
    return {
      state,
      mode: this.mode,
      calls: { ...this.#circuit.observer.calls },
      window: this.#circuit.window.counts(at),
      openings,
      trials: { running: trials.length, successes, failures },
      waiting: this.#circuit.waiting,
      retryAfterMs: this.#circuit.retryAfterMs(at),
      lastFailureAt: this.#lastFailureAt,
      changedAt: this.#circuit.changedAt,
      shared: this.#circuit.fleet?.stats(),
    };
  }

  override describe(): PolicyDescription {
    return { kind: 'breaker' };
  }

  [Symbol.dispose](): void {
    this.#circuit.dispose();
    this.#levels[Symbol.dispose]();
  }
}
