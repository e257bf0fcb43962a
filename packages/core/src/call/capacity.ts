import { causesOf } from '../causes.ts';
import type { Clock } from '../clock.ts';
import { isRefusal, isTemperError } from '../errors.ts';
import { processState } from '../process-state.ts';
import { errorOfEnding } from './endings.ts';

/** What is read of a `Call`, whose class asks this module. */
interface Waiter {
  readonly outer: Waiter | undefined;
  readonly attempt: number;
  readonly hedge: number;
  readonly aborted: boolean;
  readonly reason: unknown;
  noteWait(ms: number): void;
}

/** Errors that calls with several parts were ended with, and whether all that ran then waited. */
const endedParts: () => WeakMap<object, boolean> = /* @__PURE__ */ processState(
  'call.ended-parts.1',
  () => new WeakMap(),
);

/** Calls that wait for what another one does. */
const followed: () => WeakMap<Waiter, Waiter> = /* @__PURE__ */ processState(
  'call.followed.1',
  () => new WeakMap(),
);

/** The calls that wait for capacity of our own, or have ended while they did. */
const waiting: () => WeakSet<Waiter> = /* @__PURE__ */ processState(
  'call.waiting.1',
  () => new WeakSet(),
);

/** Calls that are parts of another one, which may make several at the same time. */
interface Parts {
  /** Those that run, or ran when the call that they are parts of was ended. */
  readonly running: Set<Waiter>;
  /** What the last ones failed with that did not fail because of a wait of ours. */
  readonly failures: unknown[];
}

/** Failures of its parts, and ends of its waits, that are kept for a call. */
const MAX_KEPT = 10;

/** The parts of each call that other calls have joined. */
const parts: () => WeakMap<Waiter, Parts> = /* @__PURE__ */ processState(
  'call.parts.1',
  () => new WeakMap(),
);

/** The calls that are parts of the calls around them: their waits are theirs alone. */
const joined: () => WeakSet<Waiter> = /* @__PURE__ */ processState(
  'call.joined.1',
  () => new WeakSet(),
);

/** What the last waits inside a call ended with, for calls that go on after them. */
const waited: () => WeakMap<Waiter, unknown[]> = /* @__PURE__ */ processState(
  'call.waited.2',
  () => new WeakMap(),
);

/**
 * `call` runs as a part of the call around it: one that has joined it, or one of several attempts at the same
 * time. Whether the calls around wait is told by their parts from now on.
 */
export function beginPart(call: Waiter): void {
  joined().add(call);
  for (const each of around(call)) {
    waiting().delete(each);
    let of = parts().get(each);
    if (of === undefined) {
      of = { running: new Set(), failures: [] };
      parts().set(each, of);
    }
    of.running.add(call);
  }
}

/**
 * A part is over.
 *
 * @param failure - what it failed with, unless it returned a value
 */
export function endPart(call: Waiter, failure?: { readonly error: unknown }): void {
  const own =
    failure !== undefined && !isRefusal(failure.error) && !failedWaiting(call, failure.error);
  for (const each of around(call)) {
    const of = parts().get(each);
    if (of === undefined) continue;
    // What ran at the end of a call tells whether it waited then.
    if (!each.aborted) of.running.delete(call);
    if (own && of.failures.push(failure.error) > MAX_KEPT) of.failures.shift();
  }
}

/**
 * `call` is about to be ended. The parts of it that run end one after the other; whether the call waited is told
 * by what they do now.
 *
 * @param errors - made for this end, and no other: the reason of its signal, and what the call fails with
 */
export function noteEndOfParts(call: Waiter, errors: readonly object[]): void {
  if ((parts().get(call)?.running.size ?? 0) === 0) return;
  const waits = failedWaiting(call, errors.at(-1));
  for (const error of errors) endedParts().set(error, waits);
}

/** `call` does nothing but wait for `other`, which is no part of it. */
export function followWaits(call: Waiter, other: Waiter): void {
  followed().set(call, other);
}

/** See {@link Call.awaitCapacity}. */
export async function awaitCapacity<T>(
  call: Waiter,
  turn: () => Promise<T>,
  clock?: Clock,
): Promise<T> {
  for (const each of sameAttempt(call)) waiting().add(each);
  const since = clock?.monotonic() ?? 0;
  try {
    const granted = await turn();
    goOn(call);
    return granted;
  } catch (error) {
    // Whatever a call does after the wait inside it tells of its dependency again: only what the wait
    // ended with does not.
    for (const each of sameAttempt(call)) if (!each.aborted) waiting().delete(each);
    noteEnd(call, error);
    throw error;
  } finally {
    if (clock !== undefined) call.noteWait(clock.monotonic() - since);
  }
}

/** What a wait has ended with says nothing about the dependency, wherever it comes out. */
function noteEnd(call: Waiter, error: unknown): void {
  const ends = isRefusal(error) ? [] : [error]; // a refusal is known as one
  if (call.aborted) ends.push(call.reason, errorOfEnding(call.reason));
  if (ends.length === 0) return;
  for (const each of [call, ...around(call)]) if (!each.aborted) noteWaited(each, ends);
}

function noteWaited(call: Waiter, ends: readonly unknown[]): void {
  const noted = waited().get(call) ?? [];
  // Every error without a cause has `undefined` as one.
  for (const end of ends) if (end !== undefined && !noted.includes(end)) noted.push(end);
  while (noted.length > MAX_KEPT) noted.shift();
  waited().set(call, noted);
}

/** The call waits no longer, and goes on. */
export function goOn(call: Waiter): void {
  for (const each of sameAttempt(call)) waiting().delete(each);
}

/** See {@link Call.awaitsCapacity}. A call whose parts run at the same time waits when all of them do. */
export function isWaiting(call: Waiter): boolean {
  if (waiting().has(call)) return true;
  const other = followed().get(call);
  if (other !== undefined) return isWaiting(other);
  const running = parts().get(call)?.running;
  return running !== undefined && running.size > 0 && [...running].every(isWaiting);
}

/**
 * Whether a call failed because of a wait for capacity of our own: it still waits, it ended while it did, or
 * a wait inside it ended with this error or with a cause of it. Never throws.
 */
export function failedWaiting(call: Waiter, error: unknown): boolean {
  const ended = inCauses(error, (each) => endedParts().get(each as object));
  if (ended !== undefined) return ended;
  if (isWaiting(call)) return !isCausedBy(error, parts().get(call)?.failures ?? []);
  return isCausedBy(error, waited().get(call) ?? []);
}

/** Whether an error or a cause of it is one of these. */
function isCausedBy(error: unknown, causes: readonly unknown[]): boolean {
  if (causes.length === 0) return false;
  return inCauses(error, (each) => causes.includes(each) || undefined) ?? false;
}

/** What is found first of an error and its causes. Never throws. */
function inCauses<T>(error: unknown, find: (each: unknown) => T | undefined): T | undefined {
  try {
    for (const each of causesOf(error)) {
      const found = find(each);
      if (found !== undefined) return found;
      // Its cause is what an attempt failed with before, not why the call ended.
      if (isTemperError(each, 'DEADLINE_EXCEEDED')) return undefined;
    }
  } catch {
    // a hostile getter
  }
  return undefined;
}

/** The call and those around it, up to one that makes other attempts, or that it is a part of. */
export function sameAttempt(call: Waiter): Waiter[] {
  const calls: Waiter[] = [call];
  for (let each = call; !joined().has(each); each = calls.at(-1) as Waiter) {
    const { outer } = each;
    if (outer === undefined || !isSameAttempt(outer, call)) break;
    calls.push(outer);
  }
  return calls;
}

/** The calls around, up to one that makes other attempts, unless these are parts of it. */
function around(call: Waiter): Waiter[] {
  const calls: Waiter[] = [];
  for (let each = call; each.outer !== undefined; each = each.outer) {
    if (!isSameAttempt(each.outer, each) && !joined().has(each)) break;
    calls.push(each.outer);
  }
  return calls;
}

function isSameAttempt(one: Waiter, other: Waiter): boolean {
  return one.attempt === other.attempt && one.hedge === other.hedge;
}
