import { checkNumber, checkType } from '@temper/core/policy';
import { RateLimitExceededError, type RejectionReason } from '../errors.ts';
import type { Lease, LimitState } from '../limiter.ts';
import { TOLERANCE } from '../rules/rule.ts';
import { type Member, memberOf } from './member.ts';
import { type CheckedLimit, isKeyed, type JointLimit } from './options.ts';

/** What a call asks of one of the limits. */
interface Part {
  /** Names the limit within the group: its place and key. */
  readonly id: string;
  readonly limit: CheckedLimit;
  readonly key: string | undefined;
  readonly cost: number;
}

/** The limit that a call lacks units of, and for how long. */
export interface Shortage {
  readonly id: string;
  readonly member: Member;
  readonly reason: RejectionReason;
  /** Units that the call asks of it. */
  readonly cost: number;
  /** 0 when calls that wait at the limit come first. */
  readonly retryAfterMs: number | undefined;
}

/** What a call asks of all limits. Nothing is taken of any of them before it can be had of each. */
export class JointAsk {
  readonly #owner: string;
  readonly #parts: readonly Part[];

  /**
   * @param owner - the group's name, in messages
   * @throws {TypeError | RangeError} when a limit needs a key, or a cost is out of range
   */
  constructor(
    owner: string,
    limits: readonly CheckedLimit[],
    key: string | undefined,
    cost: number,
  ) {
    const parts: Part[] = [];
    for (const [i, limit] of limits.entries()) {
      let own: string | undefined;
      if (isKeyed(limit.limiter)) {
        own = limit.key === undefined ? key : limit.key(key);
        if (own === undefined && limit.key !== undefined) continue;
        if (own !== undefined) checkType(owner, `key of '${limit.limiter.name}'`, own, 'string');
      }
      const units = costOf(owner, limit, cost);
      parts.push({ id: `${i}:${own ?? ''}`, limit, key: own, cost: units });
    }
    this.#owner = owner;
    this.#parts = parts;
  }

  /** Names of the limits within the group. */
  get ids(): readonly string[] {
    return this.#parts.map(({ id }) => id);
  }

  /** Units that the call asks of each limit. */
  get costs(): readonly number[] {
    return this.#parts.map(({ cost }) => cost);
  }

  get members(): readonly Member[] {
    return this.#parts.map(({ limit, key }) => memberOf(limit.limiter, key));
  }

  /** What of the limit with this name is lacking, where nothing but other calls of the group stands before it. */
  behindOthers(ids: ReadonlySet<string>): Shortage | undefined {
    const part = this.#parts.find(({ id }) => ids.has(id));
    if (part === undefined) return undefined;
    const member = memberOf(part.limit.limiter, part.key);
    const retryAfterMs = member.delay(part.cost);
    return { id: part.id, member, reason: 'limit', cost: part.cost, retryAfterMs };
  }

  /**
   * Takes from all limits, or from none.
   *
   * @param isUrgent - whether the call is a part of one that holds permits, for which others may wait: it
   * passes calls that wait for permits
   * @returns the leases, or which limit lacks units for longest
   */
  take(isUrgent = false): JointParts | Shortage {
    return takeTogether(
      this.#parts.map((part) => ({
        id: part.id,
        cost: part.cost,
        member: memberOf(part.limit.limiter, part.key),
      })),
      isUrgent,
    );
  }

  /** The state of the limit of which the smallest share is left. */
  peek(): LimitState | undefined {
    let tightest: LimitState | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const member of this.members) {
      const state = member.peek();
      const share = state.remaining / member.capacity;
      if (share < least) tightest = state;
      least = Math.min(least, share);
    }
    return tightest;
  }

  /** Corrects leases by what the call turned out to cost; 0 gives everything back. */
  settle(leases: readonly Lease[], cost: number): void {
    const costs = this.#parts.map(({ limit }) =>
      cost === 0 ? 0 : costOf(this.#owner, limit, cost, 0),
    );
    for (const [i, lease] of leases.entries()) void lease.settle?.(costs[i]!);
  }
}

/** What was taken, in the order of the limits. */
export interface JointParts {
  readonly leases: readonly Lease[];
  readonly members: readonly Member[];
}

/** A limit that is asked, and for how much. */
export type JointShare = Pick<Shortage, 'id' | 'member' | 'cost'>;

/** As {@link JointAsk.take}. */
export function takeTogether(
  shares: readonly JointShare[],
  isUrgent: boolean,
): JointParts | Shortage {
  let worst: Shortage | undefined;
  for (const share of shares) {
    const found = shortageOf(share, isUrgent);
    if (found !== undefined && (worst === undefined || rank(found) > rank(worst))) worst = found;
  }
  if (worst !== undefined) return worst;
  const leases: Lease[] = [];
  for (const { id, member, cost } of shares) {
    if (!member.tryTake(cost)) {
      // The arithmetic of the last digit, or keys of one limiter that shows itself as two.
      for (const lease of leases) giveBack(lease);
      return { id, member, reason: 'limit', cost, retryAfterMs: member.delay(cost) };
    }
    leases.push(member.leaseOf(cost));
  }
  return { leases, members: shares.map(({ member }) => member) };
}

/** @param min - the least that is allowed; without it, more than 0 */
export function costOf(
  owner: string,
  { limiter, cost }: Pick<JointLimit, 'cost'> & { readonly limiter: { readonly name: string } },
  asked: number,
  min?: number,
): number {
  if (cost === undefined) return asked;
  const own = cost(asked);
  const range = { min: min ?? 0, aboveMin: min === undefined, infinite: false };
  checkNumber(owner, `cost of '${limiter.name}'`, own, range);
  return own;
}

function shortageOf({ id, cost, member }: JointShare, isUrgent: boolean): Shortage | undefined {
  if (member.full) return { id, member, cost, reason: 'keys', retryAfterMs: undefined };
  if (cost > member.capacity + TOLERANCE) {
    return { id, member, cost, reason: 'cost', retryAfterMs: Number.POSITIVE_INFINITY };
  }
  const retryAfterMs = member.delay(cost);
  const passes = member.queued === 0 || (isUrgent && member.permits !== undefined);
  if (retryAfterMs === 0 && passes) return undefined;
  return { id, member, cost, reason: 'limit', retryAfterMs };
}

/** Of two limits, the one that lacks units for longer. A time that is unknown says the least. */
const rank = ({ retryAfterMs }: Shortage): number => retryAfterMs ?? -1;

/** Gives back what was taken for nothing: units, and permits. */
export function giveBack(lease: Lease): void {
  void lease.settle?.(0);
  lease.release();
}

/** The refusal of a call by the limit that lacks units for longest. */
export function refusalBy(
  { member, cost, reason: lacking, retryAfterMs }: Shortage,
  why: RejectionReason = 'limit',
): RateLimitExceededError {
  const { limit, remaining } = member.peek();
  const reason = lacking === 'limit' ? why : lacking;
  // 0 would say that it can be had now.
  const shown = retryAfterMs === 0 ? undefined : retryAfterMs;
  const left =
    lacking === 'cost'
      ? { limit: member.capacity, remaining: member.capacity }
      : { limit, remaining };
  return new RateLimitExceededError(member.name, { reason, ...left, retryAfterMs: shown, cost });
}
