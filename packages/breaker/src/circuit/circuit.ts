import type { Outcome } from '@temper/core';

/** What a circuit can be. */
export type CircuitState = 'closed' | 'open' | 'half-open' | 'isolated';

/**
 * The state of a circuit breaker as an immutable value. The functions below return its next value. They
 * know neither a clock (the caller passes the time, in monotonic milliseconds), nor a window (the
 * caller says when to open), nor telemetry.
 *
 * Source of the pattern: M. Nygard, "Release It!", 2007. Half-open circuits judged by the failure rate of
 * a number of trials: resilience4j.
 */
export interface Circuit {
  readonly state: CircuitState;
  /**
   * Grows by one with every change of {@link state}. A call remembers the generation it began in; its
   * result counts only while that is still the current one.
   */
  readonly generation: number;
  /** Openings in a row, with no stable close in between. */
  readonly openings: number;
  /** Length of the last opening, in milliseconds. */
  readonly openMs: number;
  /** When it entered this state. */
  readonly since: number;
  /**
   * When time alone changes the state: at the end of the open time, and while half-open when the oldest
   * running trial has run for too long. `Infinity` otherwise.
   */
  readonly until: number;
  /** The trials that are running. Empty unless half-open. */
  readonly trials: readonly RunningTrial[];
  /** Trials that succeeded. 0 unless half-open. */
  readonly successes: number;
  /** Trials that failed, where some may. 0 unless half-open. */
  readonly failures: number;
  /** What opened it, where known; kept until it closes. */
  readonly failure: Outcome<unknown> | undefined;
}

/** A trial, told from others by its identity. */
export interface RunningTrial {
  /** When it began; `Infinity` until it does. */
  begunAt: number;
}

/** The options that a circuit depends on. */
export interface CircuitRules {
  readonly successThreshold: number;
  /** Judges so many trials by their failure rate, instead of each by itself. */
  readonly halfOpenTrials?: number | undefined;
  readonly halfOpenMaxFailureRate: number;
  readonly halfOpenMaxCalls: number;
  readonly halfOpenMaxDurationMs: number;
  /** `undefined`: the length of the last opening. */
  readonly stableAfterMs?: number | undefined;
}

/** One opening. */
export interface Opening {
  readonly openings: number;
  readonly openMs: number;
  readonly failure: Outcome<unknown> | undefined;
}

const NO_TRIALS: readonly RunningTrial[] = [];

/** A new circuit. */
export function newCircuit(at: number): Circuit {
  return {
    state: 'closed',
    generation: 0,
    openings: 0,
    openMs: 0,
    since: at,
    until: Number.POSITIVE_INFINITY,
    trials: NO_TRIALS,
    successes: 0,
    failures: 0,
    failure: undefined,
  };
}

/** Enters a state without trials. */
function enter(circuit: Circuit, state: CircuitState, since: number): Circuit {
  const generation = circuit.generation + 1;
  const until = Number.POSITIVE_INFINITY;
  const counts = { trials: NO_TRIALS, successes: 0, failures: 0 };
  return { ...circuit, ...counts, state, generation, since, until };
}

/** Whether one more call may run. */
export function admits(circuit: Circuit, rules: CircuitRules): boolean {
  const { state, trials, successes, failures } = circuit;
  if (state !== 'half-open') return state === 'closed';
  const { halfOpenMaxCalls, halfOpenTrials = Number.POSITIVE_INFINITY } = rules;
  return trials.length < Math.min(halfOpenMaxCalls, halfOpenTrials - successes - failures);
}

/**
 * When a rejected call should come back, in milliseconds: when the first trial may begin, or when the
 * oldest running one has ended at the latest. `undefined` when calls are admitted, or nobody can know.
 */
export function retryAfterMs(
  circuit: Circuit,
  at: number,
  rules: CircuitRules,
): number | undefined {
  if (admits(circuit, rules) || circuit.state === 'isolated') return undefined;
  // A trial that waits for the fleet has not begun, and has no end yet.
  return circuit.until === Number.POSITIVE_INFINITY
    ? rules.halfOpenMaxDurationMs
    : circuit.until - at;
}

/** The number of openings in a row, if the circuit opened now. */
export function nextOpenings(circuit: Circuit, at: number, rules: CircuitRules): number {
  const stable = at - circuit.since >= (rules.stableAfterMs ?? circuit.openMs);
  return circuit.state === 'closed' && stable ? 1 : circuit.openings + 1;
}

export function opened(circuit: Circuit, at: number, opening: Opening): Circuit {
  return { ...enter(circuit, 'open', at), ...opening, until: at + opening.openMs };
}

/** The open time is over. */
export function halfOpened(circuit: Circuit): Circuit {
  return enter(circuit, 'half-open', circuit.until);
}

/** @param openings - 0 to forget the openings in a row */
export function closed(circuit: Circuit, at: number, openings: number): Circuit {
  return { ...enter(circuit, 'closed', at), openings, failure: undefined };
}

export function isolated(circuit: Circuit, at: number): Circuit {
  return { ...closed(circuit, at, 0), state: 'isolated', openMs: 0 };
}

/** Opens for this long because other nodes have, or moves the end of the open time: no new opening. */
export function followed(circuit: Circuit, at: number, forMs: number): Circuit {
  const { state, failure } = circuit;
  if (state === 'half-open' && forMs <= 0) return circuit; // so are the others: trials go on
  const openings = Math.max(1, circuit.openings);
  const next = opened(circuit, at, { openings, openMs: forMs, failure });
  return state === 'open' ? { ...next, generation: circuit.generation } : next;
}

/** A trial takes its place, which {@link admits} has allowed. */
export function withTrial(circuit: Circuit, trial: RunningTrial, rules: CircuitRules): Circuit {
  return withTrials(circuit, [...circuit.trials, trial], rules);
}

/** A trial ends. A failed one may be the last: {@link trialsDecide} tells. */
export function withoutTrial(
  circuit: Circuit,
  trial: RunningTrial,
  verdict: 'success' | 'failure' | 'ignored',
  rules: CircuitRules,
): Circuit {
  const others = circuit.trials.filter((other) => other !== trial);
  if (others.length === circuit.trials.length) return circuit;
  const successes = circuit.successes + (verdict === 'success' ? 1 : 0);
  const failures = circuit.failures + (verdict === 'failure' ? 1 : 0);
  return withTrials({ ...circuit, successes, failures }, others, rules);
}

/** The circuit with other trials running, or with the same ones after one of them has begun. */
export function withTrials(
  circuit: Circuit,
  trials: readonly RunningTrial[],
  rules: CircuitRules,
): Circuit {
  const until = trials.reduce((first, { begunAt }) => Math.min(first, begunAt), Infinity);
  return { ...circuit, trials, until: until + rules.halfOpenMaxDurationMs };
}

/**
 * What the trials so far decide: the first failure opens, and `successThreshold` successes close. By
 * rate, the circuit opens as soon as too many of `halfOpenTrials` have failed, and closes when all have
 * ended and not too many have.
 */
export function trialsDecide(circuit: Circuit, rules: CircuitRules): 'open' | 'close' | undefined {
  const { successes, failures } = circuit;
  const { halfOpenTrials, halfOpenMaxFailureRate, successThreshold } = rules;
  if (halfOpenTrials === undefined) {
    if (failures > 0) return 'open';
    return successes >= successThreshold ? 'close' : undefined;
  }
  if (failures / halfOpenTrials > halfOpenMaxFailureRate) return 'open';
  return successes + failures >= halfOpenTrials ? 'close' : undefined;
}
