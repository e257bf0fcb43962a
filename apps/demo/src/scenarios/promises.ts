import type { PhaseResult } from '../load/tally.ts';
import type { ScenarioPromise, ScenarioRecord, TransitionRecord } from './scenario.ts';

/** The result of a phase. @throws {RangeError} when there is no such phase */
export function phaseOf({ phases }: ScenarioRecord, name: string): PhaseResult {
  const found = phases.find((phase) => phase.name === name);
  if (found === undefined) throw new RangeError(`The scenario has no phase '${name}'.`);
  return found;
}

function transitionsOf(
  { transitions }: ScenarioRecord,
  breaker: string,
): readonly TransitionRecord[] {
  return transitions.filter((transition) => transition.breaker === breaker);
}

export function numberOf({ measured }: ScenarioRecord, name: string): number {
  const value = measured[name];
  if (typeof value !== 'number') throw new RangeError(`'${name}' was not measured.`);
  return value;
}

/** Every call of a phase succeeds. */
export function everythingSucceeds(phase: string): ScenarioPromise {
  return {
    promise: `every call of phase '${phase}' succeeds`,
    judge: (record) => {
      const { calls, successes } = phaseOf(record, phase);
      return { held: calls > 0 && successes === calls, shown: `${successes} of ${calls}` };
    },
  };
}

/** Every call of a phase succeeds or gets a degraded answer. */
export function everythingIsAnswered(phase: string): ScenarioPromise {
  return {
    promise: `every call of phase '${phase}' succeeds or gets an answer that is marked as degraded`,
    judge: (record) => {
      const { calls, successes, degraded } = phaseOf(record, phase);
      return {
        held: calls > 0 && successes + degraded === calls,
        shown: `${successes} succeeded and ${degraded} degraded of ${calls}`,
      };
    },
  };
}

export function circuitOpens(breaker: string, phase: string): ScenarioPromise {
  return {
    promise: `the circuit '${breaker}' opens in phase '${phase}'`,
    judge: (record) => {
      const opening = transitionsOf(record, breaker).find(
        ({ to, phase: during }) => to === 'open' && during === phase,
      );
      return {
        held: opening !== undefined,
        shown:
          opening === undefined
            ? 'it did not open'
            : `after ${opening.atMs} ms, reason ${opening.reason}`,
      };
    },
  };
}

export function circuitEndsClosed(breaker: string): ScenarioPromise {
  return {
    promise: `the circuit '${breaker}' closes after successful trial calls and stays closed`,
    judge: (record) => {
      const last = transitionsOf(record, breaker).at(-1);
      return {
        held: last?.from === 'half-open' && last.to === 'closed',
        shown:
          last === undefined
            ? 'it never opened'
            : `last: ${last.from} → ${last.to} at ${last.atMs} ms`,
      };
    },
  };
}

/** The circuit never changes state. */
export function circuitStaysClosed(breaker: string): ScenarioPromise {
  return {
    promise: `the circuit '${breaker}' stays closed`,
    judge: (record) => {
      const all = transitionsOf(record, breaker);
      return { held: all.length === 0, shown: `${all.length} transitions` };
    },
  };
}
