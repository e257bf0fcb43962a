import {
  checkNumber,
  checkOneOf,
  checkType,
  type NumberRange,
  numberRule,
  type OptionRule,
  oneOfRule,
  typeRule,
} from '@temper/core/policy';
import type { BreakerSnapshot } from '../contract.ts';
import {
  type Circuit,
  type CircuitRules,
  type RunningTrial,
  trialsDecide,
  withTrials,
} from './circuit.ts';
import type { SavedCalls, SavedWindow, Window } from './window.ts';

/**
 * @param at - monotonic milliseconds
 * @param now - wall-clock time, in milliseconds since the epoch
 */
export function takeSnapshot(
  circuit: Circuit,
  window: Window,
  at: number,
  now: number,
): BreakerSnapshot {
  const { state, openings, openMs, since, until, successes, failures } = circuit;
  return {
    version: 1,
    takenAt: now,
    state: state === 'isolated' ? 'closed' : state,
    openings,
    openMs,
    elapsedMs: state === 'isolated' ? 0 : Math.max(0, at - since),
    remainingMs: state === 'open' ? Math.max(0, until - at) : 0,
    successes,
    failures,
    window: { kind: window.kind, calls: window.save(at) },
  };
}

/** What a snapshot is restored into. */
export interface RestoreTarget {
  readonly current: Circuit;
  readonly window: Window;
  /** The trials that are running in this process, of whatever circuit. */
  readonly running: readonly RunningTrial[];
  readonly rules: CircuitRules & { readonly maxOpenDurationMs: number };
  /** Monotonic milliseconds. */
  readonly at: number;
  /** Wall-clock time, in milliseconds since the epoch. */
  readonly now: number;
}

/** A snapshot in this process's time. */
export interface Restored {
  readonly circuit: Circuit;
  /** For the window; `undefined` when they are of another kind of window. */
  readonly calls: readonly SavedCalls[] | undefined;
}

/**
 * Brings a snapshot into this process's time. Trials that are running in this process keep their places
 * and results; those of another process are unknown here. Trials that were counted under other options and
 * would have decided under these are made again.
 *
 * @throws {TypeError | RangeError} on anything but a snapshot
 */
export function loadSnapshot(saved: BreakerSnapshot, target: RestoreTarget): Restored {
  const snapshot = checkSnapshot(saved);
  // A wall clock that was set back must not keep the circuit open.
  const agoMs = Math.max(0, target.now - snapshot.takenAt);
  const { kind, calls } = snapshot.window;
  const aged = calls.map(([ageMs, ...counts]): SavedCalls => [ageMs + agoMs, ...counts]);
  return {
    circuit: circuitOf(snapshot, agoMs, target),
    calls: kind === target.window.kind ? aged : undefined,
  };
}

function circuitOf(snapshot: BreakerSnapshot, agoMs: number, target: RestoreTarget): Circuit {
  const { current, running, rules, at } = target;
  const { state, openings, openMs, successes, failures, elapsedMs } = snapshot;
  const remainingMs = Math.min(rules.maxOpenDurationMs, Math.max(0, snapshot.remainingMs - agoMs));
  const goesOn = state === 'half-open' && current.state === 'half-open';
  const circuit: Circuit = {
    state,
    openings,
    openMs,
    successes,
    failures,
    since: at - agoMs - elapsedMs,
    generation: goesOn ? current.generation : current.generation + 1,
    until: state === 'open' ? at + remainingMs : Number.POSITIVE_INFINITY,
    trials: [],
    failure: goesOn ? current.failure : undefined,
  };
  if (state !== 'half-open') return circuit;
  // Saved under other options, the counts may already decide, and no trial would be left to say so.
  const decided = trialsDecide(circuit, rules) !== undefined;
  const undecided = decided ? { ...circuit, successes: 0, failures: 0 } : circuit;
  const inTime = running.filter(({ begunAt }) => at < begunAt + rules.halfOpenMaxDurationMs);
  return withTrials(undecided, inTime, rules);
}

const OWNER = 'restore: snapshot';
const COUNT: NumberRange = { min: 0, max: 2 ** 32, integer: true };
const DURATION: NumberRange = { min: 0, infinite: false };

const RULES: Readonly<Record<keyof BreakerSnapshot, OptionRule>> = {
  version: oneOfRule([1]),
  takenAt: numberRule({ infinite: false }),
  state: oneOfRule(['closed', 'open', 'half-open']),
  openings: numberRule(COUNT),
  openMs: numberRule(DURATION),
  elapsedMs: numberRule(DURATION),
  remainingMs: numberRule(DURATION),
  successes: numberRule(COUNT),
  failures: numberRule(COUNT),
  window: typeRule('object'),
};

/**
 * Holds a snapshot to its shape and its numbers to each other: it comes from a file or a database. The
 * fields are read once.
 *
 * @throws {TypeError | RangeError} naming the field, its range and the value
 */
function checkSnapshot(snapshot: unknown): BreakerSnapshot {
  checkType('restore', 'snapshot', snapshot, 'object');
  const fields = snapshot as Record<string, unknown>;
  const read = Object.fromEntries(Object.keys(RULES).map((field) => [field, fields[field]]));
  for (const [field, rule] of Object.entries(RULES)) rule(OWNER, field, read[field]);
  const checked = read as unknown as BreakerSnapshot;
  const { state, openings, remainingMs, successes, failures } = checked;
  if (state !== 'closed' && openings === 0) impossible('openings', `of 0 while ${state}`);
  if (state !== 'open' && remainingMs > 0) impossible('remainingMs', `left while ${state}`);
  if (state !== 'half-open' && successes + failures > 0) {
    impossible('successes and failures', `of trials while ${state}`);
  }
  return { ...checked, window: checkWindow(OWNER, 'window', checked.window) };
}

function impossible(field: string, why: string): never {
  throw new RangeError(`${OWNER}: ${field} ${why}: no breaker saves that.`);
}

/** @returns a copy */
function checkWindow(owner: string, field: string, window: unknown): SavedWindow {
  checkType(owner, field, window, 'object');
  const { kind, calls } = window as Record<string, unknown>;
  checkOneOf(owner, `${field}.kind`, kind, ['consecutive', 'calls', 'time']);
  if (!Array.isArray(calls)) throw new TypeError(`${owner}: ${field}.calls must be an array.`);
  const groups = calls.map((group: unknown): SavedCalls => {
    if (!Array.isArray(group) || group.length !== 4) {
      throw new TypeError(`${owner}: ${field}.calls must contain arrays of 4 numbers.`);
    }
    const [ageMs, ...counts] = group as unknown[];
    checkNumber(owner, `${field}.calls`, ageMs, { infinite: false });
    for (const count of counts) checkNumber(owner, `${field}.calls`, count, COUNT);
    return [...group] as unknown as SavedCalls;
  });
  for (const [, count, failures, slow] of groups) {
    if (failures > count || slow > count) {
      impossible(`${field}.calls`, 'with more failed or slow calls than calls');
    }
    if (kind === 'calls' && count !== 1) impossible(`${field}.calls`, `of ${count} calls as one`);
    if (kind === 'consecutive' && (failures !== count || slow > 0)) {
      impossible(`${field}.calls`, 'in a row with calls that did not fail');
    }
  }
  if (kind === 'consecutive' && groups.length > 1) {
    impossible(`${field}.calls`, 'in a row as several groups');
  }
  return { kind: kind as SavedWindow['kind'], calls: groups };
}
