import {
  admits,
  type CircuitEvent,
  type CircuitRules,
  type CircuitState,
  closedCircuit,
  due,
  type OpeningPlanner,
  transition,
} from './circuit.ts';
import type { TransitionReason } from './events.ts';
import type { Verdict } from './judge.ts';
import { type Tolerance, tripReason } from './trip.ts';
import type { Window } from './window.ts';

/** Whom the machine works for. */
export interface MachineOwner extends OpeningPlanner {
  /** Told of each change from one state to another, after it has happened. */
  circuitChanged(from: CircuitState, to: CircuitState, reason: TransitionReason): void;
}

/**
 * A circuit at work: it keeps the present state, derives it anew whenever it is looked at (so that it
 * needs no timer), and feeds the window while closed.
 */
export class CircuitMachine {
  readonly #rules: CircuitRules;
  readonly #tolerance: Tolerance;
  readonly #owner: MachineOwner;
  readonly window: Window;
  /** As of the last look. A closed or isolated circuit does not change by time alone. */
  current: CircuitState;
  /** Whether it opens at all. */
  armed = true;

  constructor(
    rules: CircuitRules,
    tolerance: Tolerance,
    window: Window,
    at: number,
    owner: MachineOwner,
  ) {
    this.#rules = rules;
    this.#tolerance = tolerance;
    this.window = window;
    this.current = closedCircuit(at);
    this.#owner = owner;
  }

  /** The state by now. */
  look(at: number): CircuitState {
    while (due(this.current, at, this.#rules)) {
      const reason = this.current.state === 'open' ? 'elapsed' : 'trial-timed-out';
      this.#apply({ type: 'time', at }, reason);
    }
    return this.current;
  }

  /** Whether a call would be let through. */
  get admits(): boolean {
    return admits(this.current, this.#rules);
  }

  /** A trial begins. Ask {@link admits} first. */
  begin(at: number): void {
    this.#apply({ type: 'begin', at }, 'elapsed');
  }

  /**
   * A call has ended. It counts only when the circuit is still in the state that the call began in.
   *
   * @param slow - whether it took too long, whatever came of it
   * @param failure - the error, or the value that means failure
   */
  settle(
    call: { readonly generation: number; readonly begunAt: number },
    verdict: Verdict,
    slow: boolean,
    failure: unknown,
    at: number,
  ): void {
    const circuit = this.look(at);
    if (circuit.generation !== call.generation) return;
    if (circuit.state === 'half-open') {
      const trial = verdict === 'success' && slow ? 'failure' : verdict;
      this.#apply(
        { type: 'end', at, ...call, verdict: trial, failure },
        trial === 'failure' ? 'trial-failed' : 'trials-succeeded',
      );
    } else if (circuit.state === 'closed' && verdict !== 'ignored') {
      this.window.record(verdict === 'failure', slow, at);
      if (verdict === 'failure' || slow) this.#judge(failure, at);
    }
  }

  #judge(failure: unknown, at: number): void {
    if (!this.armed) return;
    const reason = tripReason(this.window.counts(at), this.#tolerance);
    if (reason !== undefined) this.#apply({ type: 'trip', at, failure }, reason);
  }

  isolate(): void {
    this.#apply({ type: 'isolate' }, 'isolated');
  }

  close(at: number, reason: TransitionReason): void {
    this.#apply({ type: 'close', at }, reason);
    this.window.reset();
  }

  /**
   * Opens for so long because others have, or moves the end of the open time.
   *
   * @returns whether it did: one that is isolated, or does not open at all, does not follow
   */
  follow(at: number, forMs: number): boolean {
    if (!this.armed || this.current.state === 'isolated') return false;
    // Already where the others are; a trial that runs must not be disturbed.
    if (forMs <= 0 && this.current.state === 'half-open') return true;
    this.#apply({ type: 'follow', at, forMs }, 'fleet');
    return true;
  }

  /** For how much longer it is open, in milliseconds. */
  remainingMs(at: number): number {
    const circuit = this.look(at);
    return circuit.state === 'open' ? circuit.until - at : 0;
  }

  restore(circuit: CircuitState): void {
    this.#set(circuit, 'restored');
  }

  #apply(event: CircuitEvent, reason: TransitionReason): void {
    this.#set(transition(this.current, event, this.#rules, this.#owner), reason);
  }

  #set(to: CircuitState, reason: TransitionReason): void {
    const from = this.current;
    this.current = to;
    if (to.state === from.state) return;
    if (to.state === 'closed') this.window.reset();
    this.#owner.circuitChanged(from, to, reason);
  }
}
