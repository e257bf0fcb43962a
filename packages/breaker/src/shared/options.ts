import {
  checkNumber,
  type Defaults,
  methodsRule,
  nameRule,
  numberRule,
  type Resolved,
  resolveOptions,
  systemRandom,
  typeRule,
} from '@temper/core/policy';
import type { BreakerStore } from './store.ts';

/** Options of `sharedCircuit`. */
export interface SharedCircuitOptions {
  /** What connects the processes, such as `redisStore()` of `@temper/redis`. */
  readonly store: BreakerStore;
  /**
   * Name of this process, unique in the fleet.
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
   * Least number of nodes that must be open, so that one of two nodes does not decide alone.
   *
   * @defaultValue 2
   * @throws {RangeError} at construction, unless an integer >= 1
   */
  readonly minimumNodes?: number;
  /**
   * While calls arrive, each circuit is reported to the store once in this many milliseconds, apart
   * from the calls, and at once when it opens or closes. Without calls it is not reported.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless > 0 and finite
   */
  readonly reportIntervalMs?: number;
  /**
   * How long the report of a node counts, in milliseconds.
   *
   * @defaultValue 60_000
   * @throws {RangeError} at construction, unless finite and >= `reportIntervalMs`
   */
  readonly nodeTtlMs?: number;
  /**
   * Longest wait for an answer of the store, in milliseconds; a trial waits this long for its lease.
   * After that, the store has failed.
   *
   * @defaultValue 250
   * @throws {RangeError} at construction, unless > 0 and finite
   */
  readonly timeoutMs?: number;
  /**
   * Called with each failure of the store: its own error, `OperationTimeoutError` for a late answer,
   * `StoreReplyError` for a malformed one. An error thrown by it is logged. More listeners can be added
   * later by `onStoreError()` of the result.
   */
  readonly onStoreError?: (error: unknown) => void;
}

/** The options that may stay unset. */
type Unset = 'onStoreError';

/** Options that were checked, with their defaults filled in. */
export type ResolvedSharedCircuitOptions = Resolved<SharedCircuitOptions, Unset>;

/** The defaults, as the README's table shows them. */
export const SHARED_CIRCUIT_DEFAULTS: Omit<
  Defaults<SharedCircuitOptions, Unset>,
  'store' | 'node'
> = { quorum: 0.5, minimumNodes: 2, reportIntervalMs: 1000, nodeTtlMs: 60_000, timeoutMs: 250 };

const OWNER = 'sharedCircuit';

/** Holds the options to their ranges and fills in the defaults. */
export function resolveSharedCircuit(options: SharedCircuitOptions): ResolvedSharedCircuitOptions {
  const duration = numberRule({ min: 0, aboveMin: true, infinite: false });
  const store = methodsRule('report', 'takeTrial', 'endTrial');
  // Without defaults of its own, `store` is refused by its rule when it is missing.
  const defaults = { ...SHARED_CIRCUIT_DEFAULTS, node: randomName() };
  const all = resolveOptions<SharedCircuitOptions, Unset>(OWNER, options, defaults as never, {
    store,
    node: nameRule,
    quorum: numberRule({ min: 0, max: 1 }),
    minimumNodes: numberRule({ min: 1, integer: true, infinite: false }),
    reportIntervalMs: duration,
    nodeTtlMs: duration,
    timeoutMs: duration,
    onStoreError: typeRule('function'),
  });
  store(OWNER, 'store', all.store);
  if (all.quorum === 1) {
    throw new RangeError(
      `${OWNER}: quorum must be below 1, as more than that share has to be open.`,
    );
  }
  checkNumber(OWNER, 'nodeTtlMs', all.nodeTtlMs, { min: all.reportIntervalMs, infinite: false });
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
