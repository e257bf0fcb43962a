import type { Outcome } from '@temper/core';
import { Listeners, notify, retryAfterOf, type Scheduled } from '@temper/core/policy';
import type { Trial } from './begun.ts';
import type { Circuit, RunningTrial } from './circuit/circuit.ts';
import * as circuits from './circuit/circuit.ts';
import { openDuration } from './circuit/open-duration.ts';
import { tripReason } from './circuit/trip.ts';
import { type Window, type WindowRatios, windowRatios } from './circuit/window.ts';
import { causeOf, describeFailure } from './errors.ts';
import type { StateChange, TransitionReason } from './events.ts';
import { HalfOpenQueue } from './half-open-queue.ts';
import { Isolation } from './isolation.ts';
import type { BreakerObserver } from './observer.ts';
import type { BreakerMode, ResolvedBreakerOptions } from './options.ts';
import type { Fleet } from './sharing.ts';
import type { Verdict } from './verdict.ts';

/** What a circuit is built with that is not its algorithm. */
export interface CircuitParts {
  createWindow(options: ResolvedBreakerOptions['window']): Window;
  /** @param owner - whose calls are counted, as long as it lives */
  observe(owner: { readonly name: string }, options: ResolvedBreakerOptions): BreakerObserver;
}

const NEVER = Number.POSITIVE_INFINITY;

/**
 * The circuit of a breaker in the course of time. What time changes is derived when somebody looks; a
 * timer runs only while somebody listens or waits for the change.
 */
export class LiveCircuit {
  /** As of the last look. */
  current: Circuit;
  changedAt: number | undefined;
  readonly window: Window;
  readonly fleet: Fleet | undefined;
  readonly #options: ResolvedBreakerOptions;
  readonly #parts: CircuitParts;
  #mode: BreakerMode;
  /** Whether the user's `openDurationMs` runs, which may call the breaker. */
  #opening = false;
  // Created when they are needed: an idle breaker is to take less than 1 KB.
  #observer: BreakerObserver | undefined;
  #isDisposed = false;
  #listeners: Listeners<StateChange> | undefined;
  #isolation: Isolation | undefined;
  #queue: HalfOpenQueue | undefined;
  /** Trials that run in this process and are in time, also those of an earlier half-open circuit. */
  #running: Set<RunningTrial> | undefined;
  #timer: Scheduled | undefined;
  /** When the timer fires; `undefined` for good after {@link dispose}. */
  #timerAt: number | undefined = NEVER;
  /** Why the circuit is open, in the words of the last rejection. */
  #said: { readonly failure: Outcome<unknown>; readonly text: string } | undefined;

  constructor(options: ResolvedBreakerOptions, parts: CircuitParts) {
    const { name, clock, shared, successThreshold, halfOpenMaxDurationMs } = options;
    this.#options = options;
    this.#parts = parts;
    this.window = parts.createWindow(options.window);
    this.#mode = options.mode;
    this.current = circuits.newCircuit(clock.monotonic());
    this.fleet = shared?.join({
      name,
      clock,
      successThreshold,
      halfOpenMaxDurationMs,
      circuit: (at) => this.look(at),
      follow: (at, forMs) => this.#follow(at, forMs),
      close: () => this.close('fleet'),
    });
  }

  get name(): string {
    return this.#options.name;
  }

  get observer(): BreakerObserver {
    if (this.#observer === undefined) {
      this.#observer = this.#parts.observe(this, this.#options);
      if (this.#isDisposed) this.#observer[Symbol.dispose]();
    }
    return this.#observer;
  }

  /** The state now. */
  get state(): circuits.CircuitState {
    return this.look(this.#options.clock.monotonic()).state;
  }

  ratios(): WindowRatios {
    return windowRatios(this.window.counts(this.#options.clock.monotonic()), this.#options);
  }

  /** The circuit now. */
  look(at: number): Circuit {
    while (at >= this.current.until && !this.#opening) {
      const { state, until, trials } = this.current;
      if (state === 'open') {
        this.change(circuits.halfOpened(this.current), 'elapsed');
      } else {
        // A trial that has run for too long failed when its time was up, not when somebody looked.
        const { halfOpenMaxDurationMs } = this.#options;
        const isLate = ({ begunAt }: RunningTrial): boolean =>
          begunAt + halfOpenMaxDurationMs <= until;
        const late = trials.find(isLate) as RunningTrial;
        this.#running?.delete(late);
        this.#trialEnded(late, 'failure', until, this.current.failure, 'trial-timed-out');
      }
    }
    return this.current;
  }

  /** Whether a call that comes now is rejected. */
  rejects(at: number): boolean {
    this.fleet?.touch(at);
    const circuit = this.look(at);
    const waitMs = circuit.state === 'closed' ? 0 : (this.fleet?.waitMs(at) ?? 0);
    return waitMs > 0 || !circuits.admits(circuit, this.#options);
  }

  /** When a rejected call should be made again, in milliseconds. */
  retryAfterMs(at: number): number | undefined {
    const waitMs = this.current.state === 'half-open' ? (this.fleet?.waitMs(at) ?? 0) : 0;
    return waitMs > 0 ? waitMs : circuits.retryAfterMs(this.current, at, this.#options);
  }

  /** Scrubbing a text takes longer than everything else in a rejection: it is done once per opening. */
  describe(failure: Outcome<unknown>): string {
    if (failure === this.#said?.failure) return this.#said.text;
    const text = describeFailure(failure);
    // An error that is read late must not keep the failure of an earlier opening.
    if (failure === this.current.failure) this.#said = { failure, text };
    return text;
  }

  /** Opens the circuit after a failed or slow call, if that is too much. */
  trip(at: number, outcome: Outcome<unknown> | undefined): void {
    if (this.#mode !== 'enabled') return;
    const reason = tripReason(this.window.counts(at), this.#options);
    if (reason !== undefined) this.#open(at, outcome, reason);
  }

  /** A trial takes its place, and begins at once unless it waits for the fleet. */
  admitTrial(at: number): Trial {
    const begunAt = this.fleet === undefined ? at : NEVER;
    const trial: Trial = { begunAt, lease: undefined, ended: false };
    this.#running ??= new Set();
    this.#running.add(trial);
    this.#set(circuits.withTrial(this.current, trial, this.#options));
    return trial;
  }

  /** The fleet permits the trial: the time that its store took is not the trial's. */
  beginTrial(trial: Trial, lease: string | undefined, at: number): void {
    trial.lease = lease;
    trial.begunAt = at;
    this.#set(circuits.withTrials(this.current, this.current.trials, this.#options));
  }

  endTrial(trial: Trial, verdict: Verdict, at: number, outcome?: Outcome<unknown>): void {
    trial.ended = true;
    this.#running?.delete(trial);
    this.look(at);
    const byRate = this.#options.halfOpenTrials !== undefined;
    this.#trialEnded(trial, verdict, at, outcome, byRate ? 'trials-failed' : 'trial-failed');
    if (trial.lease !== undefined) this.fleet?.endTrial(trial.lease, verdict, this.current.openMs);
  }

  #trialEnded(
    trial: RunningTrial,
    verdict: Verdict,
    at: number,
    outcome: Outcome<unknown> | undefined,
    reason: TransitionReason,
  ): void {
    const next = circuits.withoutTrial(this.current, trial, verdict, this.#options);
    if (next === this.current) return; // a trial of an earlier half-open circuit
    this.#set(next);
    const decision = circuits.trialsDecide(next, this.#options);
    if (decision === 'open') this.#open(at, outcome, reason);
    else if (decision === 'close') {
      this.change(circuits.closed(next, at, next.openings), 'trials-succeeded');
    } else this.#queue?.drain();
  }

  /** @param forcedMs - replaces the configured open duration */
  #open(
    at: number,
    failure: Outcome<unknown> | undefined,
    reason: TransitionReason,
    forcedMs?: number,
  ): void {
    if (this.#opening) return; // the user's openDurationMs has called the breaker
    const { generation } = this.current;
    const openings = circuits.nextOpenings(this.current, at, this.#options);
    const openMs = forcedMs ?? this.#openMs(openings, failure);
    // A change of state or mode by the user's openDurationMs takes precedence.
    if (this.current.generation !== generation || this.#mode !== 'enabled') return;
    this.change(circuits.opened(this.current, at, { openings, openMs, failure }), reason);
  }

  #openMs(openings: number, failure: Outcome<unknown> | undefined): number {
    const { name, respectRetryAfter } = this.#options;
    const cause = causeOf(failure);
    // An HTTP date is on the wall clock.
    const retryAfterMs = respectRetryAfter
      ? retryAfterOf(cause, this.#options.clock.now())
      : undefined;
    this.#opening = true;
    const event = { policy: name, openings, failure: cause, retryAfterMs };
    const openMs = openDuration(this.#options, event);
    this.#opening = false;
    return openMs;
  }

  forceOpen(openMs: number | undefined): void {
    const at = this.#options.clock.monotonic();
    const { state, failure } = this.look(at);
    if (this.#mode !== 'enabled' || state === 'isolated') return;
    this.#open(at, failure, 'forced', openMs);
    // A circuit that was open because of the fleet is now open by itself.
    if (state === 'open') this.fleet?.changed(this.current, 'forced', at);
  }

  close(reason: TransitionReason): void {
    const at = this.#options.clock.monotonic();
    const circuit = this.look(at);
    if (circuit.state !== 'closed') this.change(circuits.closed(circuit, at, 0), reason);
    this.window.reset();
  }

  #follow(at: number, forMs: number): boolean {
    if (this.#mode !== 'enabled' || this.current.state === 'isolated') return false;
    const openMs = Math.min(forMs, this.#options.maxOpenDurationMs);
    this.change(circuits.followed(this.current, at, openMs), 'fleet');
    return true;
  }

  isolate(): Disposable {
    this.#isolation ??= new Isolation(
      () =>
        this.change(circuits.isolated(this.current, this.#options.clock.monotonic()), 'isolated'),
      () => this.close('released'),
    );
    return this.#isolation.hold();
  }

  get mode(): BreakerMode {
    return this.#mode;
  }

  set mode(mode: BreakerMode) {
    if (mode === this.#mode) return;
    this.#mode = mode;
    if (this.current.state !== 'isolated') this.close('mode');
  }

  /** The trials that run in this process. */
  get running(): readonly RunningTrial[] {
    return [...(this.#running ?? [])];
  }

  /** Enters a circuit, and tells everybody if its state is another one. */
  change(to: Circuit, reason: TransitionReason): void {
    const from = this.current;
    this.#set(to);
    if (to.state === from.state) return;
    if (to.state === 'closed') {
      this.window.reset();
      this.#said = undefined; // keeps the error that opened the circuit
    }
    const isOpen = to.state === 'open';
    const change: StateChange = {
      policy: this.#options.name,
      from: from.state,
      to: to.state,
      reason,
      at: this.#options.clock.now(),
      openMs: isOpen ? to.openMs : undefined,
      failure: isOpen ? causeOf(to.failure) : undefined,
    };
    this.changedAt = change.at;
    this.observer.changed(change, isOpen ? to.failure : undefined);
    this.fleet?.changed(to, reason, this.#options.clock.monotonic());
    this.#listeners?.emit(change);
    this.#queue?.drain();
  }

  listen(listener: (change: StateChange) => void): Disposable {
    this.#listeners ??= new Listeners(this.#options.name, 'onStateChange');
    const added = this.#listeners.add(listener);
    this.#arm();
    return {
      [Symbol.dispose]: () => {
        added[Symbol.dispose]();
        this.#arm();
      },
    };
  }

  /** Where calls wait for their turn now; `undefined` when they are rejected instead. */
  get queue(): HalfOpenQueue | undefined {
    const { halfOpenMaxWaitMs } = this.#options;
    if (halfOpenMaxWaitMs === 0 || this.current.state !== 'half-open') return undefined;
    this.#queue ??= new HalfOpenQueue(this.#options.clock, halfOpenMaxWaitMs, {
      onSize: () => this.#arm(),
      endedWaiting: () => this.endedWaiting(),
      turns: () => this.#turns(),
    });
    return this.#queue.full ? undefined : this.#queue;
  }

  /** Counts a call that was ended before its operation was called: as it waited for its turn, or for the fleet. */
  endedWaiting(): void {
    this.observer.calls.aborted++;
  }

  get waiting(): number {
    return this.#queue?.size ?? 0;
  }

  #turns(): 'next' | 'none' | 'ramp' {
    const { state } = this.current;
    if (state === 'closed') return 'ramp';
    // An open circuit rejects them.
    return state !== 'half-open' || circuits.admits(this.current, this.#options) ? 'next' : 'none';
  }

  #set(circuit: Circuit): void {
    this.current = circuit;
    this.#arm();
  }

  /** Lets a timer look at the circuit when time changes it, as long as somebody wants to know. */
  #arm(): void {
    if (this.#timerAt === undefined) return;
    const heard = this.#listeners?.empty === false || this.waiting > 0;
    const dueAt = heard ? this.current.until : NEVER;
    if (dueAt === this.#timerAt) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = dueAt;
    if (dueAt === NEVER) return;
    const onDue = (): void => {
      this.#timerAt = NEVER;
      this.look(this.#options.clock.monotonic());
      this.#arm(); // a timer may fire early
    };
    // To the microsecond: a difference of two times can be too large by a rounding error, and the system's
    // timers would wait for another millisecond because of it.
    const waitMs = Math.round((dueAt - this.#options.clock.monotonic()) * 1000) / 1000;
    // Without a timer the change is noticed when somebody looks.
    notify(this.#options.name, 'clock.schedule', () => {
      this.#timer = this.#options.clock.schedule(onDue, Math.max(1, waitMs));
      this.#timer.unref();
    });
  }

  dispose(): void {
    this.#timer?.cancel();
    this.#timerAt = undefined;
    this.#isDisposed = true;
    this.#observer?.[Symbol.dispose]();
  }
}
