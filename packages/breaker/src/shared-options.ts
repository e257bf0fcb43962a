import { checkKnown, checkName, checkNumber, checkType, systemRandom } from '@temper/core';
import type { BreakerStore } from './store.ts';

/**
 * Decides together with the breakers of the same name in other processes. Each still judges by its own
 * calls and can open alone; when more than a quorum are open, all are, and then one trial at a time
 * runs in the whole fleet. When the store fails or is late, the breaker decides alone.
 */
export interface SharedOptions {
  /** Where the processes meet, such as `redisStore` of `@temper/redis`. */
  readonly store: BreakerStore;
  /**
   * Names this process, uniquely in the fleet.
   *
   * @defaultValue a random name
   */
  readonly node?: string;
  /**
   * The fleet opens when more than this share of the nodes that reported lately are open.
   *
   * @defaultValue 0.5
   * @throws {RangeError} at construction, unless >= 0 and < 1
   */
  readonly quorum?: number;
  /**
   * Least number of nodes that must be open, so that a fleet of two is not run by one.
   *
   * @defaultValue 2
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly minimumNodes?: number;
  /**
   * While calls arrive, the store is asked once in so many milliseconds, apart from calls and at once
   * when this node changes its mind. Without calls it is not asked at all.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless > 0 and finite
   */
  readonly reportIntervalMs?: number;
  /**
   * For how long a node that has fallen silent has a say, in milliseconds.
   *
   * @defaultValue 60_000
   * @throws {RangeError} at construction, unless finite and >= `reportIntervalMs`
   */
  readonly nodeTtlMs?: number;
  /**
   * Longest time that a trial waits for its lease, and that a report is waited for, in milliseconds.
   * Past it the store has failed.
   *
   * @defaultValue 250
   * @throws {RangeError} at construction, unless > 0 and finite
   */
  readonly timeoutMs?: number;
  /** Called with what the store failed with. What it throws is reported, no more. */
  readonly onStoreError?: (error: unknown) => void;
}

/** The defaults of {@link SharedOptions} that are plain values. */
export const SHARED_DEFAULTS: {
  readonly quorum: 0.5;
  readonly minimumNodes: 2;
  readonly reportIntervalMs: 1000;
  readonly nodeTtlMs: 60_000;
  readonly timeoutMs: 250;
} = { quorum: 0.5, minimumNodes: 2, reportIntervalMs: 1000, nodeTtlMs: 60_000, timeoutMs: 250 };

/** The options when they have been checked. */
export type ResolvedSharedOptions = Required<Omit<SharedOptions, 'onStoreError'>> &
  Pick<SharedOptions, 'onStoreError'>;

const OWNER = 'circuitBreaker: shared';
const POSITIVE = { min: 0, aboveMin: true, infinite: false };

/** Holds the options to their ranges and fills in the defaults. */
export function resolveSharedOptions(options: SharedOptions): ResolvedSharedOptions {
  checkKnown(OWNER, options, [...Object.keys(SHARED_DEFAULTS), 'store', 'node', 'onStoreError']);
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as unknown as SharedOptions;
  const all = { ...SHARED_DEFAULTS, node: randomName(), ...given };
  checkType(OWNER, 'store', all.store, 'object');
  for (const method of ['report', 'takeTrial', 'endTrial'] as const) {
    checkType(OWNER, `store.${method}`, all.store[method], 'function');
  }
  checkName(`${OWNER}.node`, all.node);
  const quorum = checkNumber(OWNER, 'quorum', all.quorum, { min: 0, max: 1 });
  if (quorum === 1) {
    throw new RangeError(
      `${OWNER}: quorum must be below 1, as more than that share has to be open.`,
    );
  }
  checkNumber(OWNER, 'minimumNodes', all.minimumNodes, { min: 1, integer: true, infinite: false });
  checkNumber(OWNER, 'reportIntervalMs', all.reportIntervalMs, POSITIVE);
  checkNumber(OWNER, 'nodeTtlMs', all.nodeTtlMs, { min: all.reportIntervalMs, infinite: false });
  checkNumber(OWNER, 'timeoutMs', all.timeoutMs, POSITIVE);
  if (all.onStoreError !== undefined) {
    checkType(OWNER, 'onStoreError', all.onStoreError, 'function');
  }
  return all;
}

/** Not a secret: it only has to differ from the names of the other nodes. */
function randomName(): string {
  const part = (): string =>
    Math.floor(systemRandom() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  return part() + part();
}
