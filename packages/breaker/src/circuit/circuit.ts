import type { Outcome } from '@temper/core';

/** What a circuit can be. */
export type CircuitState = 'closed' | 'open' | 'half-open' | 'isolated';

/**
 * The state of a circuit breaker as an immutable value. The functions below return its next value. They
 * know neither a clock (the caller passes the time, in monotonic milliseconds), nor a window (the
 * caller says when to open), nor telemetry.
 *
 * Source of the pattern: M. Nygard, "Release It!", 2007.
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
  /** When each running trial began, oldest first. Empty unless half-open. */
  readonly trials: readonly number[];
  /** Trials in a row that succeeded. 0 unless half-open. */
  readonly successes: number;
  /** What opened it, where known; kept until it closes. */
  readonly failure: Outcome<unknown> | undefined;
}

/** The options that a circuit depends on. */
export interface CircuitRules {
  readonly successThreshold: number;
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

const NO_TRIALS: readonly number[] = [];

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
    failure: undefined,
  };
}

/** Enters a state without trials. */
function enter(circuit: Circuit, state: CircuitState, since: number): Circuit {
  const generation = circuit.generation + 1;
  const until = Number.POSITIVE_INFINITY;
  return { ...circuit, state, generation, since, until, trials: NO_TRIALS, successes: 0 };
}

/** Whether one more call may run. */
export function admits({ state, trials }: Circuit, rules: CircuitRules): boolean {
  return state === 'closed' || (state === 'half-open' && trials.length < rules.halfOpenMaxCalls);
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
  return admits(circuit, rules) || circuit.state === 'isolated' ? undefined : circuit.until - at;
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

/** A trial begins, which {@link admits} has allowed. */
export function withTrial(circuit: Circuit, at: number, rules: CircuitRules): Circuit {
  return running(circuit, [...circuit.trials, at], rules);
}

/**
 * A trial ends without a failure, and may close the circuit.
 *
 * @param begunAt - when it began, as given to {@link withTrial}
 * @param succeeded - `false`: it tells nothing, and only makes room for another one
 */
export function withoutTrial(
  circuit: Circuit,
  begunAt: number,
  succeeded: boolean,
  at: number,
  rules: CircuitRules,
): Circuit {
  const index = circuit.trials.indexOf(begunAt);
  if (index === -1) return circuit;
  const successes = circuit.successes + (succeeded ? 1 : 0);
  if (successes >= rules.successThreshold) return closed(circuit, at, circuit.openings);
  return running({ ...circuit, successes }, circuit.trials.toSpliced(index, 1), rules);
}

function running(circuit: Circuit, trials: readonly number[], rules: CircuitRules): Circuit {
  const [oldest = Number.POSITIVE_INFINITY] = trials;
  return { ...circuit, trials, until: oldest + rules.halfOpenMaxDurationMs };
}
