import { isTemperError } from '@temper/core';
import { checkCallOptions } from '@temper/core/policy';
import type { RateLimitExceededError } from '../errors.ts';
import { type JointShare, refusalBy, takeTogether } from '../joint/joint-ask.ts';
import { isJoinable, type Member, memberOf } from '../joint/member.ts';
import type { Decision } from '../limiter.ts';
import { type SharedMember, sharedMemberOf } from '../shared/shared-member.ts';

import type { HttpLimit, HttpLimiter } from './options.ts';

/** What a request asks of one limit. */
export interface AskedLimit {
  readonly limit: HttpLimit;
  readonly limiter: HttpLimiter;
  readonly key: string | undefined;
  readonly cost: number | undefined;
}

/** What a limit has answered. A decision that is `allowed` without a lease has taken nothing. */
export type LimitAnswer = Decision | RateLimitExceededError | 'unavailable';

/** The answers of some limits of a request. */
type Answers = ReadonlyMap<AskedLimit, LimitAnswer>;

/** Limits that are asked at once. */
export type Step = () => Answers | Promise<Answers>;

/**
 * The limits of a request in the order in which they are asked. Those of this process are one step, which takes
 * from all or none. Those that processes share are another one. Limiters that cannot be asked together follow one
 * by one: what others have taken by then can be given back whole, and theirs perhaps not.
 */
export function stepsOf(asked: readonly AskedLimit[]): readonly Step[] {
  const local = asked.filter(({ limiter }) => isJoinable(limiter));
  const shared = asked.filter(({ limiter }) => sharedMemberOf(limiter) !== undefined);
  const together = [local, shared].filter(({ length }) => length > 1).flat();
  const steps: Step[] = [];
  if (local.length > 1) steps.push(() => takeLocally(local));
  if (shared.length > 1) steps.push(() => takeShared(shared));
  for (const each of asked) if (!together.includes(each)) steps.push(() => takeOne(each));
  return steps;
}

/** A cost that can never pass, and a key that there is no room for, are refusals like any other here. */
async function takeOne(asked: AskedLimit): Promise<Answers> {
  const { limiter, key, cost } = asked;
  try {
    return new Map([[asked, await limiter.take({ key, cost })]]);
  } catch (error) {
    return new Map([[asked, refusalOf(error)]]);
  }
}

/** @throws what is no refusal */
function refusalOf(error: unknown): RateLimitExceededError | 'unavailable' {
  if (isTemperError(error, 'RATE_LIMIT_EXCEEDED')) return error as RateLimitExceededError;
  if (isTemperError(error, 'STORE_UNAVAILABLE')) return 'unavailable';
  throw error;
}

function takeLocally(asked: readonly AskedLimit[]): Answers {
  const shares = asked.map(({ limiter, key, cost, limit }, i): JointShare => {
    checkCallOptions(limit.name, { cost });
    if (!isJoinable(limiter)) throw new TypeError(`Limit '${limit.name}' cannot be joined.`);
    return { id: String(i), member: memberOf(limiter, key), cost: cost ?? 1 };
  });
  const taken = takeTogether(shares, false);
  const answers = new Map<AskedLimit, LimitAnswer>();
  for (const [i, each] of asked.entries()) {
    const { member } = shares[i]!;
    if ('leases' in taken) member.count('allowed');
    answers.set(each, passes(member, 'leases' in taken ? taken.leases[i] : undefined));
  }
  if ('leases' in taken) return answers;
  const refusing = asked[Number(taken.id)]!;
  const { retryAfterMs } = refusalBy(taken);
  if (taken.reason !== 'limit') {
    answers.set(refusing, refusalBy(taken));
    return answers;
  }
  taken.member.count('limit');
  answers.set(refusing, { ...taken.member.peek(), allowed: false, retryAfterMs, lease: undefined });
  return answers;
}

function passes(member: Member, lease: Decision['lease']): Decision {
  return { ...member.peek(), allowed: true, retryAfterMs: 0, lease };
}

/** One after another: what one cannot answer, others can, whose store is another one. */
async function takeEach(asked: readonly AskedLimit[]): Promise<Answers> {
  const answers = new Map<AskedLimit, LimitAnswer>();
  for (const each of asked) for (const [of, answer] of await takeOne(each)) answers.set(of, answer);
  return answers;
}

async function takeShared(asked: readonly AskedLimit[]): Promise<Answers> {
  const members = asked.map(({ limiter }) => sharedMemberOf(limiter) as SharedMember);
  const asks = asked.map(({ key, cost, limit }, i) => {
    checkCallOptions(limit.name, { cost });
    return { member: members[i]!, key, cost: cost ?? 1 };
  });
  try {
    const answers = await members[0]!.takeTogether(asks);
    return new Map(answers.map(({ place, decision }) => [asked[place]!, decision]));
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === 'unavailable') return takeEach(asked);
    const refusing = asked.find((_, i) => members[i]!.name === refusal.policy) ?? asked[0]!;
    return new Map([[refusing, refusal]]);
  }
}
