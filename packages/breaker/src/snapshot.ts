import { type Clock, checkNumber, checkOneOf, checkType } from '@temper/core';
import type { CircuitState } from './circuit.ts';
import type { CircuitMachine } from './machine.ts';
import type { SavedWindow } from './window.ts';

/**
 * A breaker as plain data, to be carried over a restart or between invocations of a function. Times
 * are kept as spans, so that the monotonic clock of another process can take them up.
 */
export interface BreakerSnapshot {
  readonly version: 1;
  /** Wall-clock time at which it was taken, in milliseconds since the epoch. */
  readonly takenAt: number;
  readonly circuit: SavedCircuit;
  readonly window: SavedWindow;
}

/** A circuit as plain data. Who holds it isolated holds it in his process only. */
export type SavedCircuit =
  | {
      readonly state: 'closed';
      readonly openings: number;
      readonly openMs: number;
      /** How long it had been closed. */
      readonly forMs: number;
    }
  | {
      readonly state: 'open';
      readonly openings: number;
      readonly openMs: number;
      /** How long it had still to be open. */
      readonly remainingMs: number;
    }
  | {
      readonly state: 'half-open';
      readonly openings: number;
      readonly openMs: number;
      readonly successes: number;
    };

/** The machine as plain data. */
export function takeSnapshot(machine: CircuitMachine, clock: Clock): BreakerSnapshot {
  const at = clock.monotonic();
  return {
    version: 1,
    takenAt: clock.now(),
    circuit: saveCircuit(machine.look(at), at),
    window: machine.window.save(at),
  };
}

/**
 * Puts a snapshot into the machine. An isolated circuit stays as it is; one that does not open at all
 * takes the window only.
 *
 * @param maxOpenMs - longest open time that is believed, in milliseconds
 */
export function restoreSnapshot(
  machine: CircuitMachine,
  snapshot: unknown,
  clock: Clock,
  maxOpenMs: number,
): void {
  const { takenAt, circuit, window } = checkSnapshot(snapshot);
  const at = clock.monotonic();
  const current = machine.look(at);
  if (current.state === 'isolated') return;
  // A wall clock that was set back must not make the past last for ever.
  const elapsedMs = Math.max(0, clock.now() - takenAt);
  if (machine.armed) {
    machine.restore(loadCircuit(circuit, at, elapsedMs, current.generation + 1, maxOpenMs));
  }
  machine.window.load(window, at, elapsedMs);
}

function saveCircuit(circuit: CircuitState, at: number): SavedCircuit {
  const { openings, openMs } = circuit;
  switch (circuit.state) {
    case 'closed':
      return { state: 'closed', openings, openMs, forMs: Math.max(0, at - circuit.since) };
    case 'open':
      return { state: 'open', openings, openMs, remainingMs: Math.max(0, circuit.until - at) };
    case 'half-open':
      return { state: 'half-open', openings, openMs, successes: circuit.successes };
    case 'isolated':
      return { state: 'closed', openings, openMs, forMs: 0 };
  }
}

/** The circuit of a snapshot, in this process's time. Its trials, if it had any, are gone. */
function loadCircuit(
  saved: SavedCircuit,
  at: number,
  elapsedMs: number,
  generation: number,
  maxOpenMs: number,
): CircuitState {
  const common = { generation, openings: saved.openings, openMs: saved.openMs };
  switch (saved.state) {
    case 'closed':
      return { ...common, state: 'closed', since: at - elapsedMs - saved.forMs };
    case 'open': {
      const remainingMs = Math.min(maxOpenMs, Math.max(0, saved.remainingMs - elapsedMs));
      return { ...common, state: 'open', until: at + remainingMs, failure: undefined };
    }
    case 'half-open': {
      const { successes } = saved;
      return { ...common, state: 'half-open', trials: [], successes, failure: undefined };
    }
  }
}

const OWNER = 'restore: snapshot';
const COUNT = { min: 0, integer: true, infinite: false };
const SPAN = { min: 0, infinite: false };

/**
 * Holds a snapshot to its shape: it has been in a file or a database meanwhile.
 *
 * @throws {TypeError | RangeError} naming the field, its range and the value
 */
function checkSnapshot(snapshot: unknown): BreakerSnapshot {
  checkType('restore', 'snapshot', snapshot, 'object');
  const { version, takenAt, circuit, window } = snapshot as Record<string, unknown>;
  checkOneOf(OWNER, 'version', version, [1]);
  checkNumber(OWNER, 'takenAt', takenAt, { infinite: false });
  checkType(OWNER, 'circuit', circuit, 'object');
  const { state, openings, openMs, forMs, remainingMs, successes } = circuit as Record<
    string,
    unknown
  >;
  checkOneOf(OWNER, 'circuit.state', state, ['closed', 'open', 'half-open']);
  checkNumber(OWNER, 'circuit.openings', openings, COUNT);
  checkNumber(OWNER, 'circuit.openMs', openMs, SPAN);
  if (state === 'closed') checkNumber(OWNER, 'circuit.forMs', forMs, SPAN);
  if (state === 'open') checkNumber(OWNER, 'circuit.remainingMs', remainingMs, SPAN);
  if (state === 'half-open') checkNumber(OWNER, 'circuit.successes', successes, COUNT);
  checkWindow(window);
  return snapshot as BreakerSnapshot;
}

function checkWindow(window: unknown): void {
  checkType(OWNER, 'window', window, 'object');
  const { kind, failures, calls, bucketMs, buckets } = window as Record<string, unknown>;
  switch (checkOneOf(OWNER, 'window.kind', kind, ['consecutive', 'calls', 'time'])) {
    case 'consecutive':
      checkNumber(OWNER, 'window.failures', failures, COUNT);
      return;
    case 'calls':
      checkType(OWNER, 'window.calls', calls, 'string');
      if (!/^[0-3]*$/.test(calls as string)) {
        throw new RangeError(`${OWNER}: window.calls must consist of the digits 0 to 3.`);
      }
      return;
    case 'time':
      checkNumber(OWNER, 'window.bucketMs', bucketMs, { ...SPAN, aboveMin: true });
      if (!Array.isArray(buckets)) {
        throw new TypeError(`${OWNER}: window.buckets must be an array.`);
      }
      for (const bucket of buckets as unknown[]) checkBucket(bucket);
  }
}

function checkBucket(bucket: unknown): void {
  if (!Array.isArray(bucket) || bucket.length !== 4) {
    throw new TypeError(`${OWNER}: window.buckets must hold arrays of 4 numbers.`);
  }
  const [age, ...counts] = bucket as unknown[];
  checkNumber(OWNER, 'window.buckets', age, { infinite: false });
  for (const count of counts) {
    checkNumber(OWNER, 'window.buckets', count, { ...COUNT, max: 2 ** 32 - 1 });
  }
}
