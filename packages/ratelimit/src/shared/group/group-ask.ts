import { checkType } from '@temper/core/policy';
import { RateLimitExceededError, type RejectionReason } from '../../errors.ts';
import { costOf, giveBack, type JointShare, takeTogether } from '../../joint/joint-ask.ts';
import { isJoinable, memberOf } from '../../joint/member.ts';
import { UnitLease } from '../../lease.ts';
import type { Decision } from '../../limiter.ts';
import { TOLERANCE } from '../../rules/rule.ts';
import type { ResolvedSharedOptions } from '../options.ts';
import type { SharedMember } from '../shared-member.ts';
import { StoreFailure } from '../store-access.ts';
import type { PartAnswer } from '../store-part.ts';
import type { GroupLimit } from './options.ts';

/** What a call asks of one of the limits. */
export interface GroupPart {
  /** Names the limit within the group: its place and key. */
  readonly id: string;
  readonly limit: Pick<GroupLimit, 'cost'>;
  readonly member: SharedMember;
  /** The key of the limit. */
  readonly key: string;
  /** Who asks, where callers share one limit. */
  readonly caller: string;
  readonly cost: number;
}

/** What one of the limits has answered. */
export interface GroupAnswer extends PartAnswer {
  readonly part: GroupPart;
}

/**
 * The limits that a call is for, and what it asks of each.
 *
 * @throws {TypeError | RangeError} when a key or a cost is not allowed
 */
export function partsOf(
  owner: string,
  limits: readonly GroupLimit[],
  key: string | undefined,
  cost: number,
): readonly GroupPart[] {
  const parts: GroupPart[] = [];
  for (const [i, limit] of limits.entries()) {
    const { member } = limit;
    const own: unknown = limit.key === undefined ? key : limit.key(key);
    if (own === undefined && limit.key !== undefined) continue;
    if (own !== undefined) checkType(owner, `key of '${member.name}'`, own, 'string');
    const caller = (own as string | undefined) ?? '';
    const units = costOf(owner, { ...limit, limiter: member }, cost);
    member.backend.checkCost(units);
    const of = member.limitOf(caller);
    parts.push({ id: `${i}:${of}`, limit, member, key: of, caller, cost: units });
  }
  return parts;
}

/** The limit that can never grant what a call asks of it. */
export function tooLarge(parts: readonly GroupPart[]): GroupPart | undefined {
  return parts.find(({ member, key, cost }) => cost > member.backend.capacity(key) + TOLERANCE);
}

/** Whether a limit has refused. */
const refuses = ({ fits }: GroupAnswer): boolean => !fits;

/**
 * Takes from all limits, or from none. Limits in one store are asked in one step where it can do that; otherwise
 * one after another, and what was taken of others is given back when one refuses. While a store is away, the
 * limits in it answer as their `onStoreFailure` says: those of this process in one step.
 *
 * @param maxWaitMs - how long the call can wait to be asked for again, in milliseconds
 * @returns the answers up to the refusal. There are leases only if all have granted
 * @throws {StoreUnavailableError} (as a rejection) of a limit that is `closed`, when its store is away
 * @throws {RateLimitExceededError} (as a rejection) when a limit of this process has no room for the key
 */
export async function takeOfAll(
  parts: readonly GroupPart[],
  maxWaitMs: number,
): Promise<readonly GroupAnswer[]> {
  const answers: GroupAnswer[] = [];
  try {
    for (const step of groupBy(parts, ({ store }) => store).values()) {
      answers.push(...(await askStep(step, maxWaitMs)));
      if (answers.some(refuses)) return undone(answers);
    }
    return answers;
  } catch (error) {
    undone(answers);
    throw error;
  }
}

function groupBy<K>(
  parts: readonly GroupPart[],
  keyOf: (options: ResolvedSharedOptions) => K,
): ReadonlyMap<K, readonly GroupPart[]> {
  const groups = new Map<K, GroupPart[]>();
  for (const part of parts) {
    const key = keyOf(part.member.parts.options);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [part]);
    else group.push(part);
  }
  return groups;
}

/** The limits in one store. */
async function askStep(
  step: readonly GroupPart[],
  maxWaitMs: number,
): Promise<readonly GroupAnswer[]> {
  for (const { member } of step) member.parts.nodes.refresh(member.parts.options.clock.monotonic());
  const behind = step.filter(({ member, key }) => member.backend.contended(key));
  if (behind.length > 0) return behind.map(contended);
  const asked = step.map((part) => part.member.backend.partOf({ ...part, maxWaitMs }));
  const { store } = step[0]!.member.parts.options;
  if (step.length > 1 && store.takeAll !== undefined && asked.every((part) => part !== undefined)) {
    try {
      const answers = await mostPatient(step).parts.store.takeAll(asked);
      for (const { member } of step) member.observer.storeAnswered();
      if (answers !== undefined) return answers.map((answer, i) => ({ ...answer, part: step[i]! }));
    } catch (error) {
      return withoutStore(step, error);
    }
  }
  const answers: GroupAnswer[] = [];
  try {
    for (const part of step) {
      answers.push(...(await askOne(part)));
      if (answers.some(refuses)) return undone(answers);
    }
  } catch (error) {
    undone(answers);
    throw error;
  }
  return answers;
}

/** A store is waited for as long as the most patient of its limits waits. */
function mostPatient(step: readonly GroupPart[]): SharedMember {
  const members = step.map(({ member }) => member);
  return members.reduce((a, b) => (b.parts.options.timeoutMs > a.parts.options.timeoutMs ? b : a));
}

async function askOne(part: GroupPart): Promise<readonly GroupAnswer[]> {
  const { member, key, cost, caller } = part;
  try {
    const answer = await member.backend.take(key, cost, caller);
    member.observer.storeAnswered();
    return [{ askAgainMs: undefined, ...answer, part, fits: answer.decision.allowed }];
  } catch (error) {
    return withoutStore([part], error);
  }
}

/** What the limits of a store that is away answer. */
function withoutStore(step: readonly GroupPart[], failure: unknown): readonly GroupAnswer[] {
  if (!(failure instanceof StoreFailure)) throw failure;
  const { cause } = failure;
  for (const { member } of step) {
    member.observer.storeFailed(cause);
    member.observer.fellBack(member.parts.options.onStoreFailure);
  }
  const by = groupBy(step, ({ onStoreFailure }) => onStoreFailure);
  const [closed] = by.get('closed') ?? [];
  if (closed !== undefined) throw closed.member.unavailable(cause);
  return [...(by.get('open') ?? []).map(passed), ...takeLocally(by.get('local') ?? [])];
}

function takeLocally(parts: readonly GroupPart[]): readonly GroupAnswer[] {
  const shares = parts.map(({ id, member, key, cost }): JointShare => {
    const limiter = member.backend.local.of(key);
    if (!isJoinable(limiter)) throw new TypeError(`'${member.name}' cannot be joined.`);
    return { id, cost, member: memberOf(limiter, undefined) };
  });
  const taken = takeTogether(shares, false);
  if ('leases' in taken) {
    return parts.map((part, i) => {
      const lease = taken.leases[i]!;
      const state = shares[i]!.member.peek();
      const decision = { ...state, allowed: true, retryAfterMs: 0, lease };
      return { part, fits: true, decision, askAgainMs: undefined, undo: () => giveBack(lease) };
    });
  }
  const part = parts.find(({ id }) => id === taken.id)!;
  // A cost above the share of one process can pass when the store is back.
  const never = taken.reason === 'cost' || taken.retryAfterMs === 0;
  const retryAfterMs = never ? undefined : taken.retryAfterMs;
  return [refusedBy(part, { ...taken.member.peek(), retryAfterMs })];
}

function passed(part: GroupPart): GroupAnswer {
  const { member, key, cost } = part;
  const lease = new UnitLease(cost, { name: member.name, correct: () => undefined }, 0);
  const decision = { ...member.backend.unused(key), allowed: true, retryAfterMs: 0, lease };
  return { part, fits: true, decision, askAgainMs: undefined, undo: () => undefined };
}

/** Calls of this process that wait at the limit itself come first. */
function contended(part: GroupPart): GroupAnswer {
  const state = part.member.backend.unused(part.key);
  return refusedBy(part, { ...state, remaining: 0, resetMs: undefined, retryAfterMs: undefined });
}

function refusedBy(part: GroupPart, state: Omit<Decision, 'allowed' | 'lease'>): GroupAnswer {
  const decision = { ...state, allowed: false, lease: undefined };
  return { part, fits: false, decision, askAgainMs: undefined, undo: () => undefined };
}

/** Gives back what was taken for nothing. */
function undone(answers: readonly GroupAnswer[]): readonly GroupAnswer[] {
  return answers.map((answer) => {
    const { decision, part } = answer;
    if (decision.lease === undefined) return answer;
    answer.undo();
    const remaining = decision.remaining + Math.floor(part.cost);
    return { ...answer, decision: { ...decision, remaining, allowed: false, lease: undefined } };
  });
}

/** Of the limits that refuse, the one that lacks units for longest. A time that is unknown says the least. */
export function worstOf(answers: readonly GroupAnswer[]): GroupAnswer | undefined {
  let worst: GroupAnswer | undefined;
  for (const answer of answers.filter(refuses)) {
    if (worst === undefined || rank(answer) > rank(worst)) worst = answer;
  }
  return worst;
}

const rank = ({ decision }: GroupAnswer): number => decision.retryAfterMs ?? -1;

/** The error of a call that a limit refuses. */
export function refusalOf(
  { part: { member, key, cost }, decision }: GroupAnswer,
  reason: RejectionReason,
): RateLimitExceededError {
  const { limit, remaining, retryAfterMs } = decision;
  if (reason !== 'cost') {
    return new RateLimitExceededError(member.name, {
      reason,
      limit,
      remaining,
      retryAfterMs,
      cost,
    });
  }
  return member.parts.tooMuch(member.backend.capacity(key), cost);
}
