import { type Resolved, resolveOptions } from '@temper/core/policy';
import { type JointLimit, jointLimitsRule } from '../../joint/options.ts';
import { QUEUE_DEFAULTS, QUEUE_RULES, type QueueOptions } from '../../wait/options.ts';
import type { SharedLimiter } from '../contract.ts';
import { type SharedMember, sharedMemberOf } from '../shared-member.ts';

/** One of the limits of {@link sharedAllOf}. */
export interface SharedJointLimit extends Pick<JointLimit, 'key' | 'cost'> {
  /**
   * The limiter. It may be in use by itself and by other groups as well.
   *
   * @throws {TypeError} at construction, unless it is made by `sharedRateLimit` or `sharedConcurrency`, and given
   * once, and no other one of its kind has its name in its store
   */
  readonly limiter: SharedLimiter;
}

/** Options of {@link sharedAllOf}. */
export interface SharedAllOfOptions extends Omit<QueueOptions, 'queue'> {
  /**
   * The limits that every call has to pass, at least one. Those in one store are asked in one step where it can
   * do that.
   *
   * @throws {TypeError} at construction, when it is anything else
   */
  readonly limits: readonly SharedJointLimit[];
}

type Unset = 'telemetry' | 'onReject';

/** A limit that was checked. */
export interface GroupLimit extends SharedJointLimit {
  readonly member: SharedMember;
}

/** Options that were checked, with their defaults filled in. */
export type ResolvedSharedAllOf = Omit<Resolved<SharedAllOfOptions, Unset>, 'limits'> & {
  readonly limits: readonly GroupLimit[];
};

const { queue: _, ...RULES } = QUEUE_RULES;
const limitsRule = jointLimitsRule(
  (limiter) => sharedMemberOf(limiter) !== undefined,
  'sharedRateLimit or sharedConcurrency',
);

/** Holds the options to their ranges and fills in the defaults. */
export function resolveSharedAllOf(options: SharedAllOfOptions): ResolvedSharedAllOf {
  const owner = 'sharedAllOf';
  const all = resolveOptions<SharedAllOfOptions, Unset>(
    owner,
    options,
    { ...QUEUE_DEFAULTS, name: 'all-of', limits: [] },
    { ...RULES, limits: limitsRule },
  );
  limitsRule(owner, 'limits', all.limits);
  // Nobody changes them afterwards.
  const limits = all.limits.map(
    ({ limiter, key, cost }): GroupLimit => ({
      limiter,
      member: sharedMemberOf(limiter)!,
      ...(key === undefined ? {} : { key }),
      ...(cost === undefined ? {} : { cost }),
    }),
  );
  checkDistinct(owner, limits);
  return { ...all, limits };
}

/** Two limiters of one name are one limit in the store, which cannot be asked twice in one step. */
function checkDistinct(owner: string, limits: readonly GroupLimit[]): void {
  for (const [i, { member }] of limits.entries()) {
    const same = limits.findIndex(
      (other) =>
        other.member.name === member.name &&
        other.member.kind === member.kind &&
        other.member.parts.options.store === member.parts.options.store,
    );
    if (same === i) continue;
    throw new TypeError(
      `${owner}: limits[${i}]: '${member.name}' is the same limit as limits[${same}]: their limiters have one name in one store.`,
    );
  }
}
