import {
  checkNumber,
  checkOneOf,
  checkType,
  type NumberRange,
  numberRule,
  type OptionRule,
  oneOfRule,
} from '@temper/core/policy';
import type { Circuit } from './circuit.ts';
import type { SavedCalls, SavedWindow, Window } from './window.ts';

/**
 * A breaker as plain data, to be carried over a restart or between invocations of a function. Times are
 * durations, so that another process with another monotonic clock can restore it.
 */
export interface BreakerSnapshot {
  readonly version: 1;
  /** Wall-clock time at which it was taken, in milliseconds since the epoch. */
  readonly takenAt: number;
  /** An isolated circuit is saved as a closed one: isolation holds in its own process only. */
  readonly state: 'closed' | 'open' | 'half-open';
  readonly openings: number;
  readonly openMs: number;
  /** How long it had been in this state, in milliseconds. */
  readonly elapsedMs: number;
  /** How much of the open time was left, in milliseconds; 0 unless open. */
  readonly remainingMs: number;
  readonly successes: number;
  readonly window: SavedWindow;
}

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
  const { state, openings, openMs, since, until, successes } = circuit;
  return {
    version: 1,
    takenAt: now,
    state: state === 'isolated' ? 'closed' : state,
    openings,
    openMs,
    elapsedMs: state === 'isolated' ? 0 : Math.max(0, at - since),
    remainingMs: state === 'open' ? Math.max(0, until - at) : 0,
    successes,
    window: { kind: window.kind, calls: window.save(at) },
  };
}

/**
 * The circuit of a snapshot in this process's time.
 *
 * @param current - the circuit that it replaces; running trials go on where both are half-open
 * @param agoMs - time since the snapshot was taken
 * @param maxOpenMs - longest open time that is believed
 */
export function loadCircuit(
  current: Circuit,
  snapshot: BreakerSnapshot,
  at: number,
  agoMs: number,
  maxOpenMs: number,
): Circuit {
  const { state, openings, openMs, successes } = snapshot;
  const common = { state, openings, openMs, successes, since: at - agoMs - snapshot.elapsedMs };
  if (state === 'half-open' && current.state === 'half-open') return { ...current, ...common };
  const remainingMs = Math.min(maxOpenMs, Math.max(0, snapshot.remainingMs - agoMs));
  return {
    ...common,
    generation: current.generation + 1,
    until: state === 'open' ? at + remainingMs : Number.POSITIVE_INFINITY,
    trials: [],
    failure: undefined,
  };
}

/** Replaces the calls of a window by those of a snapshot, unless they are of another kind of window. */
export function loadWindow(
  window: Window,
  snapshot: BreakerSnapshot,
  at: number,
  agoMs: number,
): void {
  const { kind, calls } = snapshot.window;
  if (kind !== window.kind) return;
  window.reset();
  const aged = calls.map(([ageMs, ...counts]): SavedCalls => [ageMs + agoMs, ...counts]);
  window.load(aged, at);
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
  window: checkWindow,
};

/**
 * Holds a snapshot to its shape: it comes from a file or a database.
 *
 * @throws {TypeError | RangeError} naming the field, its range and the value
 */
export function checkSnapshot(snapshot: unknown): BreakerSnapshot {
  checkType('restore', 'snapshot', snapshot, 'object');
  const fields = snapshot as Record<string, unknown>;
  for (const [field, rule] of Object.entries(RULES)) rule(OWNER, field, fields[field]);
  return snapshot as BreakerSnapshot;
}

function checkWindow(owner: string, field: string, window: unknown): void {
  checkType(owner, field, window, 'object');
  const { kind, calls } = window as Record<string, unknown>;
  checkOneOf(owner, `${field}.kind`, kind, ['consecutive', 'calls', 'time']);
  if (!Array.isArray(calls)) throw new TypeError(`${owner}: ${field}.calls must be an array.`);
  for (const group of calls as unknown[]) {
    if (!Array.isArray(group) || group.length !== 4) {
      throw new TypeError(`${owner}: ${field}.calls must contain arrays of 4 numbers.`);
    }
    const [ageMs, ...counts] = group as unknown[];
    checkNumber(owner, `${field}.calls`, ageMs, { infinite: false });
    for (const count of counts) checkNumber(owner, `${field}.calls`, count, COUNT);
  }
}
