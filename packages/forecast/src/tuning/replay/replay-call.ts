import type { RecordedCall, RecordedTry } from '../recorded-call.ts';
import type { TuningSettings } from '../settings.ts';
import type { Fate, Mode, Pools } from './pools.ts';

/** What a call would have come to. */
export interface ReplayedCall {
  readonly ok: boolean;
  readonly tookMs: number;
  readonly tries: number;
  /** Whether it rests on tries that were never made. */
  readonly unseen: boolean;
}

/** What an attempt would have come to. */
interface ReplayedAttempt {
  readonly ms: number;
  readonly end: 'answered' | 'failed' | 'fatal';
  readonly tries: number;
  readonly seen: boolean;
}

/** The recorded settings and the others. */
export interface Settings {
  readonly recorded: TuningSettings;
  readonly replayed: TuningSettings;
}

/** Makes a recorded call again with other settings: what was recorded stays, what is missing is drawn. */
export function replayCall(
  call: RecordedCall,
  settings: Settings,
  pools: Pools,
  mode: Mode,
): ReplayedCall {
  const { tries } = call;
  const first = tries[0];
  const asRecorded = { ok: call.ok, tookMs: call.tookMs, tries: tries.length, unseen: false };
  if (first === undefined || endedFromOutside(tries)) return asRecorded;
  const { recorded, replayed } = settings;
  const attempts = byAttempt(tries);
  const oldMost = recorded.maxAttempts ?? 1;
  const newMost = replayed.maxAttempts ?? oldMost;
  let at = first.atMs;
  let made = 0;
  let unseen = false;
  let end: ReplayedAttempt['end'] = 'failed';
  for (let number = 1; number <= newMost; number++) {
    const before = attempts.get(number - 1);
    const own = attempts.get(number);
    // A budget or a deadline had the last word, and would have it again.
    if (own === undefined && number <= oldMost && stopped(before)) break;
    if (number > 1) at += gapBefore(number, before, own, settings, pools);
    const attempt = replayAttempt(number, own ?? [], settings, pools, mode);
    at += attempt.ms;
    made += attempt.tries;
    unseen ||= !attempt.seen;
    end = attempt.end;
    if (end !== 'failed') break;
  }
  const answered = tries.some(({ result }) => result === 'answered');
  // An answer that the caller did not take for one would not be one now.
  const ok = end === 'answered' && (call.ok || !answered);
  // What came after the last try, and was none of it.
  const rest = Math.max(0, call.tookMs - Math.max(...tries.map((one) => one.atMs + one.tookMs)));
  return { ok, tookMs: at + rest, tries: made, unseen };
}

/** Whether the deadline of the call had ended its last attempt. */
function endedFromOutside(tries: readonly RecordedTry[]): boolean {
  const last = tries.at(-1)?.attempt;
  const ofLast = tries.filter(({ attempt }) => attempt === last);
  return (
    ofLast.some(({ result }) => result === 'lost') &&
    !ofLast.some(({ result }) => result !== 'lost')
  );
}

/** Whether an attempt failed, and could have been followed by another one. */
function stopped(tries: readonly RecordedTry[] | undefined): boolean {
  return tries?.every(({ result }) => result === 'failed' || result === 'timeout') ?? false;
}

function byAttempt(tries: readonly RecordedTry[]): Map<number, RecordedTry[]> {
  const attempts = new Map<number, RecordedTry[]>();
  for (const one of tries) {
    const list = attempts.get(one.attempt);
    if (list === undefined) attempts.set(one.attempt, [one]);
    else list.push(one);
  }
  return attempts;
}

/** The wait before an attempt, scaled as the first delay is. */
function gapBefore(
  number: number,
  before: readonly RecordedTry[] | undefined,
  own: readonly RecordedTry[] | undefined,
  { recorded, replayed }: Settings,
  pools: Pools,
): number {
  const old = recorded.initialDelayMs;
  const scale = old === undefined || old === 0 ? 1 : (replayed.initialDelayMs ?? old) / old;
  if (before !== undefined && own?.[0] !== undefined) {
    const endedAt = Math.max(...before.map((one) => one.atMs + one.tookMs));
    return scale * Math.max(0, own[0].atMs - endedAt);
  }
  return scale * (pools.gap(number) ?? (old ?? 100) * 2 ** (number - 2));
}

function replayAttempt(
  number: number,
  recorded: readonly RecordedTry[],
  settings: Settings,
  pools: Pools,
  mode: Mode,
): ReplayedAttempt {
  const { attemptTimeoutMs = Number.POSITIVE_INFINITY } = settings.replayed;
  const first = recorded.find(({ hedge }) => hedge === 1);
  const one = first === undefined ? pools.attempt(number, mode) : pools.whole(first, mode);
  const other = hedgeOf(number, one, first, recorded, settings, pools, mode);
  const result = other === undefined ? one : raced(one, other);
  const tries = other === undefined || other.startsAt >= attemptTimeoutMs ? 1 : 2;
  const seen = one.seen || cutOffAsRecorded(one, first, result, attemptTimeoutMs);
  const allSeen = seen && (other === undefined || other.fate.seen);
  return result.ms > attemptTimeoutMs
    ? { ms: attemptTimeoutMs, end: 'failed', tries, seen: allSeen }
    : { ms: result.ms, end: result.end, tries, seen: allSeen };
}

/** Whether it does not matter how long a try would have run: it is cut off where it was, or before. */
function cutOffAsRecorded(
  one: Fate,
  first: RecordedTry | undefined,
  result: { readonly ms: number },
  attemptTimeoutMs: number,
): boolean {
  const ran = first?.tookMs;
  return ran !== undefined && one.ms > ran && Math.min(result.ms, attemptTimeoutMs) <= ran * 1.001;
}

interface Hedge {
  readonly startsAt: number;
  readonly fate: Fate;
}

/** The try beside a slow one, or in place of one that failed; `undefined` when there would be none. */
function hedgeOf(
  number: number,
  one: Fate,
  first: RecordedTry | undefined,
  recorded: readonly RecordedTry[],
  { recorded: old, replayed }: Settings,
  pools: Pools,
  mode: Mode,
): Hedge | undefined {
  const delayMs = replayed.hedgeDelayMs;
  if (delayMs === undefined || one.end === 'fatal') return undefined;
  const fails = one.end === 'failed' && one.ms < delayMs;
  if (!fails && one.ms <= delayMs) return undefined;
  const second = recorded.find(({ hedge }) => hedge === 2);
  const startsAt = fails ? one.ms : delayMs;
  if (second !== undefined) return { startsAt, fate: pools.whole(second, mode) };
  // The budget of the hedge had refused it, and would again.
  const due =
    first !== undefined && (fails || (delayMs === old.hedgeDelayMs && first.tookMs > delayMs));
  return due ? undefined : { startsAt, fate: pools.hedge(number, mode) };
}

/** The first answer, or the last failure, of two tries. */
function raced(one: Fate, { startsAt, fate }: Hedge): { ms: number; end: Fate['end'] } {
  const other = { ms: startsAt + fate.ms, end: fate.end };
  const [early, late] = one.ms <= other.ms ? [one, other] : [other, one];
  return early.end === 'failed' ? late : early;
}
