/**
 * The circuit as a pure state machine: a state and an event give a state. It knows no clock (events
 * say when they happened), no window (it is told when to trip) and no telemetry.
 *
 * Source of the pattern: M. Nygard, "Release It!", 2007.
 */

/** What a circuit can be. */
export type CircuitStateName = 'closed' | 'open' | 'half-open' | 'isolated';

interface Circuit {
  /**
   * Grows by one with every change of {@link CircuitStateName}. A call remembers the generation it
   * began in; its result counts only while that is still the current one.
   */
  readonly generation: number;
  /** Openings in a row, with no stable close in between. */
  readonly openings: number;
  /** How long the last of them was to last, in milliseconds. */
  readonly openMs: number;
}

/** Calls go through. */
export interface ClosedCircuit extends Circuit {
  readonly state: 'closed';
  /** When it closed, in monotonic milliseconds. */
  readonly since: number;
}

/** Calls are rejected until `until`. */
export interface OpenCircuit extends Circuit {
  readonly state: 'open';
  readonly until: number;
  /** What opened it: an error, a value that means failure, or `undefined` when nobody can say. */
  readonly failure: unknown;
}

/** A bounded number of calls goes through, to see whether the others may. */
export interface HalfOpenCircuit extends Circuit {
  readonly state: 'half-open';
  /** When each running trial began, oldest first. */
  readonly trials: readonly number[];
  /** Trials that succeeded, in a row. */
  readonly successes: number;
  readonly failure: unknown;
}

/** Held open by hand. */
export interface IsolatedCircuit extends Circuit {
  readonly state: 'isolated';
}

/** The state of a circuit. */
export type CircuitState = ClosedCircuit | OpenCircuit | HalfOpenCircuit | IsolatedCircuit;

/** What can happen to a circuit, and when, in monotonic milliseconds. */
export type CircuitEvent =
  /** Too many calls failed or were slow. */
  | { readonly type: 'trip'; readonly at: number; readonly failure: unknown }
  /** Time has passed. */
  | { readonly type: 'time'; readonly at: number }
  /** A trial begins. */
  | { readonly type: 'begin'; readonly at: number }
  /** A trial ends. */
  | {
      readonly type: 'end';
      readonly at: number;
      readonly generation: number;
      /** When the trial began. */
      readonly begunAt: number;
      /** `ignored` gives the place back and says nothing about the dependency. */
      readonly verdict: TrialVerdict;
      readonly failure: unknown;
    }
  /** Somebody else has decided that it is open, for so long. */
  | { readonly type: 'follow'; readonly at: number; readonly forMs: number }
  /** Somebody holds it open by hand. */
  | { readonly type: 'isolate' }
  /** Somebody closes it. */
  | { readonly type: 'close'; readonly at: number };

/** What a trial says about the dependency. */
export type TrialVerdict = 'success' | 'failure' | 'ignored';

/** One opening, for those who decide how long it lasts. */
export interface Opening {
  /** Openings in a row, this one included, with no stable close in between. */
  readonly openings: number;
  /** What opened the circuit: an error, or a value that means failure. */
  readonly failure: unknown;
}

/** The numbers that a circuit goes by. */
export interface CircuitRules {
  readonly successThreshold: number;
  readonly halfOpenMaxCalls: number;
  readonly halfOpenMaxDurationMs: number;
  /** `undefined`: as long as it was last open. */
  readonly stableAfterMs?: number | undefined;
}

/** Decides how long an opening lasts, in milliseconds. */
export interface OpeningPlanner {
  openMs(opening: Opening): number;
}

/** A circuit at the beginning: closed, and stable. */
export function closedCircuit(since: number): ClosedCircuit {
  return { state: 'closed', generation: 0, openings: 0, openMs: 0, since };
}

/** Whether one more call may run. */
export function admits(circuit: CircuitState, rules: CircuitRules): boolean {
  return (
    circuit.state === 'closed' ||
    (circuit.state === 'half-open' && circuit.trials.length < rules.halfOpenMaxCalls)
  );
}

/** Whether a `time` event would change the state. */
export function due(circuit: CircuitState, at: number, rules: CircuitRules): boolean {
  if (circuit.state === 'open') return at >= circuit.until;
  return circuit.state === 'half-open' && at >= expiry(circuit, rules);
}

/**
 * When a call that is turned away should come back, in milliseconds: when the first trial may begin,
 * or when the oldest running one will be decided at the latest. `undefined` where none is turned away,
 * or nobody can know.
 */
export function retryAfterMs(
  circuit: CircuitState,
  at: number,
  rules: CircuitRules,
): number | undefined {
  if (circuit.state === 'open') return circuit.until - at;
  return circuit.state === 'half-open' && !admits(circuit, rules)
    ? expiry(circuit, rules) - at
    : undefined;
}

/**
 * The next state, or the same object when the event changes nothing.
 *
 * A `time` event takes one step at a time: after a long silence it may have to be repeated while it
 * is {@link due}. What it yields does not depend on when, or how often, somebody looks.
 */
export function transition(
  circuit: CircuitState,
  event: CircuitEvent,
  rules: CircuitRules,
  planner: OpeningPlanner,
): CircuitState {
  switch (event.type) {
    case 'trip':
      return circuit.state === 'closed'
        ? trip(circuit, event.at, event.failure, rules, planner)
        : circuit;
    case 'time':
      return due(circuit, event.at, rules) ? elapse(circuit, rules, planner) : circuit;
    case 'begin':
      return circuit.state === 'half-open' && admits(circuit, rules)
        ? { ...circuit, trials: [...circuit.trials, event.at] }
        : circuit;
    case 'end':
      return circuit.state === 'half-open' && circuit.generation === event.generation
        ? endTrial(circuit, event, rules, planner)
        : circuit;
    case 'follow':
      return circuit.state === 'isolated' ? circuit : follow(circuit, event.at, event.forMs);
    case 'isolate':
      return circuit.state === 'isolated'
        ? circuit
        : { state: 'isolated', generation: circuit.generation + 1, openings: 0, openMs: 0 };
    case 'close':
      return circuit.state === 'closed' ? circuit : close(circuit, event.at, 0);
  }
}

function trip(
  circuit: ClosedCircuit,
  at: number,
  failure: unknown,
  rules: CircuitRules,
  planner: OpeningPlanner,
): OpenCircuit {
  const stable = at - circuit.since >= (rules.stableAfterMs ?? circuit.openMs);
  return open(circuit, stable ? 1 : circuit.openings + 1, at, failure, planner);
}

function open(
  circuit: CircuitState,
  openings: number,
  at: number,
  failure: unknown,
  planner: OpeningPlanner,
): OpenCircuit {
  const openMs = planner.openMs({ openings, failure });
  const generation = circuit.generation + 1;
  return { state: 'open', generation, openings, openMs, until: at + openMs, failure };
}

function close(circuit: CircuitState, at: number, openings: number): ClosedCircuit {
  const { generation, openMs } = circuit;
  return { state: 'closed', generation: generation + 1, openings, openMs, since: at };
}

function follow(
  circuit: Exclude<CircuitState, IsolatedCircuit>,
  at: number,
  forMs: number,
): OpenCircuit {
  // Who is open already only has its end moved: nothing that an observer would call a change.
  const generation = circuit.state === 'open' ? circuit.generation : circuit.generation + 1;
  const failure = circuit.state === 'closed' ? undefined : circuit.failure;
  const openings = Math.max(1, circuit.openings);
  return { state: 'open', generation, openings, openMs: forMs, until: at + forMs, failure };
}

/** When the oldest running trial will have run for too long. */
function expiry({ trials: [oldest] }: HalfOpenCircuit, rules: CircuitRules): number {
  return oldest === undefined ? Number.POSITIVE_INFINITY : oldest + rules.halfOpenMaxDurationMs;
}

function elapse(circuit: CircuitState, rules: CircuitRules, planner: OpeningPlanner): CircuitState {
  if (circuit.state === 'open') {
    const { generation, openings, openMs, failure } = circuit;
    return {
      state: 'half-open',
      generation: generation + 1,
      openings,
      openMs,
      trials: [],
      successes: 0,
      failure,
    };
  }
  if (circuit.state !== 'half-open') return circuit;
  // A trial that never settles has failed, and did so when its time was up, not when we noticed.
  return open(circuit, circuit.openings + 1, expiry(circuit, rules), circuit.failure, planner);
}

function endTrial(
  circuit: HalfOpenCircuit,
  { at, begunAt, verdict, failure }: Extract<CircuitEvent, { type: 'end' }>,
  rules: CircuitRules,
  planner: OpeningPlanner,
): CircuitState {
  const index = circuit.trials.indexOf(begunAt);
  if (index === -1) return circuit;
  if (verdict === 'failure') return open(circuit, circuit.openings + 1, at, failure, planner);
  const successes = circuit.successes + (verdict === 'success' ? 1 : 0);
  if (successes >= rules.successThreshold) return close(circuit, at, circuit.openings);
  return { ...circuit, successes, trials: circuit.trials.toSpliced(index, 1) };
}
