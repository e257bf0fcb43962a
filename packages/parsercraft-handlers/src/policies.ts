import { type BreakerStats, type CircuitBreaker, circuitBreaker } from '@temper/breaker';
import type { CallContext, Executor, Outcome, Policy, Random } from '@temper/core';
import { checkKnown, checkName, checkNumber, checkType, show } from '@temper/core/policy';
import { tokenBucket } from '@temper/ratelimit';
import { pipeline, timeout } from '@temper/recovery';
import { type RetryPolicy, retry } from '@temper/retry';
import { Bulkhead, type CommonOptions, GuestBulkhead, KeyShare, wasCutShort } from './bulkhead.ts';
import { at, entriesOf } from './checks.ts';
import type { ErrorTable } from './error-table.ts';
import type {
  AnyOperation,
  BreakerOptions,
  BulkheadOptions,
  LimiterOptions,
  PlanOptions,
  RetryRule,
} from './operation.ts';

/** Every policy, by its name in the options: that of a shared one, or of the operation that has it. */
export interface HardenedPolicies {
  readonly breakers: Readonly<Record<string, CircuitBreaker>>;
  readonly limiters: Readonly<Record<string, Policy>>;
  readonly bulkheads: Readonly<Record<string, Policy>>;
  /** For limiters of which a key may use only a share. */
  readonly shares: Readonly<Record<string, KeyShare>>;
  /** A plan with retries of its own has the name of the operation, a dot and its own name. */
  readonly retries: Readonly<Record<string, RetryPolicy>>;
}

/** What the policies have done, by name. Plain data. */
export interface PolicyStats {
  readonly breakers: Readonly<Record<string, BreakerStats>>;
  readonly limiters: Readonly<Record<string, object>>;
  readonly bulkheads: Readonly<Record<string, object>>;
}

/** What the policies of one {@link harden} have in common. */
export interface PolicySetting {
  /** Stands before each name in telemetry. */
  readonly prefix: string;
  readonly common: CommonOptions;
  readonly random: Random;
  /** The error table of an operation. */
  readonly tableOf: (operation: string | undefined) => ErrorTable | undefined;
}

/** Options that are the same for all policies of a {@link harden}, and have no place at one of them. */
const RESERVED = [
  'name',
  'clock',
  'random',
  'spans',
  'telemetry',
  'shouldHandle',
  'attemptTimeoutMs',
] as const;

const LIMITER: readonly (keyof LimiterOptions)[] = [
  'limit',
  'windowMs',
  'burst',
  'share',
  'maxQueue',
];
const BULKHEAD: readonly (keyof BulkheadOptions)[] = ['limit', 'share', 'maxQueue'];
const SHARE = { min: 0, max: 1, aboveMin: true };
const TIME = { min: 0, aboveMin: true, infinite: false };
const DEFAULT_TIMEOUT_MS = 5000;

type Slot = 'limiter' | 'breaker' | 'bulkhead';

/** A plan that was checked. */
interface ResolvedPlan {
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number | undefined;
  readonly retry: RetryPolicy | undefined;
}

/** How calls of one plan run. */
export interface PlannedPipeline {
  readonly pipeline: Executor;
  readonly timeoutMs: number;
  /** Time for a degraded answer, in milliseconds. */
  readonly degradeTimeoutMs: number;
}

/** Makes the policies of all operations, and disposes of those that it made. */
export class PolicyMaker implements Disposable {
  readonly #setting: PolicySetting;
  readonly #own: Disposable[] = [];
  readonly #made = {
    limiter: new Map<string, Policy>(),
    breaker: new Map<string, CircuitBreaker>(),
    bulkhead: new Map<string, Policy>(),
  };
  readonly #shares = new Map<string, KeyShare>();
  readonly #retries = new Map<string, RetryPolicy>();
  /** Shared policies that no operation has named yet, with their paths. */
  readonly #unused = new Map<Policy, string>();

  constructor(setting: PolicySetting) {
    this.#setting = setting;
  }

  /** Makes the policies that operations share. */
  share(
    path: string,
    slot: Slot,
    shared: Readonly<Record<string, LimiterOptions | BreakerOptions | BulkheadOptions | Policy>>,
  ): void {
    for (const [name, options] of entriesOf(path, shared)) {
      const own = `${path}.${name}`;
      this.#unused.set(this.#make(own, slot, name, options), own);
    }
  }

  /** @throws {TypeError} when some shared policy guards no operation */
  checkUsed(): void {
    for (const path of this.#unused.values()) {
      throw new TypeError(`${path}: no operation uses it.`);
    }
  }

  /** The pipelines of an operation: that of its own plan under '', and those of its named plans. */
  operation(path: string, name: string, definition: AnyOperation): Map<string, PlannedPipeline> {
    const [limiterName, limiter] = this.#slot(path, 'limiter', name, definition.limiter);
    const [, bulkhead] = this.#slot(path, 'bulkhead', name, definition.bulkhead);
    const [, breaker] = this.#slot(path, 'breaker', name, definition.breaker);
    const turn =
      bulkhead === undefined || bulkhead instanceof Bulkhead
        ? bulkhead
        : new GuestBulkhead(bulkhead, this.#setting.common.clock);
    const share = limiter === undefined ? undefined : this.#shares.get(limiterName);
    const usual = this.#plan(path, name, definition, {
      timeoutMs: DEFAULT_TIMEOUT_MS,
      attemptTimeoutMs: undefined,
      retry: undefined,
    });
    const plans = new Map([['', usual]]);
    for (const [planName, plan] of entriesOf(`${path}.plans`, definition.plans ?? {})) {
      const own = `${path}.plans.${planName}`;
      at(own, () => {
        checkName(own, planName);
        checkKnown(own, plan, ['retry', 'timeoutMs', 'attemptTimeoutMs']);
      });
      plans.set(planName, this.#plan(own, `${name}.${planName}`, plan, usual));
    }
    return new Map(
      [...plans].map(([planName, plan]) => {
        const label = this.#setting.prefix + (planName === '' ? name : `${name}.${planName}`);
        // #region pipeline
        const parts = [share, limiter, turn, plan.retry, breaker, this.#attempt(label, plan)];
        const planned: PlannedPipeline = {
          // The bulkhead is outside the breaker and the attempt's timeout, which therefore measure the
          // operation alone and never a wait for its turn.
          pipeline: at(path, () =>
            pipeline(
              { name: label, clock: this.#setting.common.clock },
              ...parts.filter((part) => part !== undefined),
            ),
          ),
          timeoutMs: plan.timeoutMs,
          degradeTimeoutMs: plan.attemptTimeoutMs ?? plan.timeoutMs,
        };
        // #endregion
        return [planName, planned];
      }),
    );
  }

  policies(): HardenedPolicies {
    return {
      breakers: Object.fromEntries(this.#made.breaker),
      limiters: Object.fromEntries(this.#made.limiter),
      bulkheads: Object.fromEntries(this.#made.bulkhead),
      shares: Object.fromEntries(this.#shares),
      retries: Object.fromEntries(this.#retries),
    };
  }

  stats(): PolicyStats {
    const { limiter, breaker, bulkhead } = this.#made;
    return {
      breakers: statsOf(breaker),
      limiters: statsOf(limiter),
      bulkheads: statsOf(bulkhead),
    };
  }

  /** Releases what was made here; policies that were given are their owner's. */
  [Symbol.dispose](): void {
    for (const policy of this.#own.splice(0).reverse()) policy[Symbol.dispose]();
  }

  #slot(
    path: string,
    slot: Slot,
    name: string,
    given: string | LimiterOptions | BreakerOptions | BulkheadOptions | Policy | undefined,
  ): readonly [string, Policy | undefined] {
    if (given === undefined) return [name, undefined];
    if (typeof given !== 'string') return [name, this.#make(`${path}.${slot}`, slot, name, given)];
    const shared = this.#made[slot].get(given);
    if (shared === undefined) {
      const known = [...this.#made[slot].keys()].join(', ') || 'none';
      throw new TypeError(
        `${path}: ${slot} must name a shared one (known are ${known}), got ${show(given)}.`,
      );
    }
    this.#unused.delete(shared);
    return [given, shared];
  }

  #make(
    path: string,
    slot: Slot,
    name: string,
    given: LimiterOptions | BreakerOptions | BulkheadOptions | Policy,
  ): Policy {
    at(path, () => checkName(path, name));
    if (this.#made[slot].has(name)) {
      throw new TypeError(`${path}: there is a ${slot} ${show(name)} already.`);
    }
    if (isPolicy(path, given)) {
      this.#made[slot].set(name, given as CircuitBreaker);
      return given;
    }
    const label = this.#setting.prefix + name;
    const made = at(path, () => {
      if (slot === 'limiter') return this.#limiter(path, name, label, given as LimiterOptions);
      if (slot === 'bulkhead') return this.#bulkhead(path, label, given as BulkheadOptions);
      return this.#breaker(path, label, given as BreakerOptions);
    });
    this.#own.push(made);
    this.#made[slot].set(name, made as CircuitBreaker);
    return made;
  }

  #limiter(path: string, name: string, label: string, given: LimiterOptions): Policy {
    checkKnown(path, given, LIMITER);
    // Refused at once rather than queued: a caller such as an editor asks again by itself.
    const { share = 1, maxQueue = 0, ...rate } = given;
    checkNumber(path, 'share', share, SHARE);
    const { common } = this.#setting;
    const limiter = tokenBucket({ ...rate, maxQueue, name: label, ...common });
    if (share === 1) return limiter;
    this.#own.push(limiter);
    const { limit = 100, windowMs = 60_000 } = rate;
    const { burst = Math.min(10, limit) } = rate;
    const own = { limit: Math.max(1, limit * share), burst: Math.max(1, burst * share) };
    const keyed = new KeyShare({ name: label, windowMs, ...own, ...common });
    this.#own.push(keyed);
    this.#shares.set(name, keyed);
    return limiter;
  }

  #bulkhead(path: string, label: string, given: BulkheadOptions): Policy {
    checkKnown(path, given, BULKHEAD);
    const { limit = 10, share = 1, maxQueue = 1000 } = given;
    checkNumber(path, 'limit', limit, { min: 1, integer: true, infinite: false });
    checkNumber(path, 'share', share, SHARE);
    checkNumber(path, 'maxQueue', maxQueue, { min: 0, integer: true, infinite: false });
    return new Bulkhead({ name: label, limit, share, maxQueue, ...this.#setting.common });
  }

  #breaker(path: string, label: string, given: BreakerOptions): CircuitBreaker {
    refuseReserved(path, given);
    const shouldHandle = this.#handles((table, error) => !table.isCallersFault(error));
    return circuitBreaker({ ...given, name: label, shouldHandle, ...this.#setting.common });
  }

  #plan(path: string, name: string, given: PlanOptions, usual: ResolvedPlan): ResolvedPlan {
    const { timeoutMs = usual.timeoutMs, attemptTimeoutMs = usual.attemptTimeoutMs } = given;
    checkNumber(path, 'timeoutMs', timeoutMs, TIME);
    if (attemptTimeoutMs !== undefined)
      checkNumber(path, 'attemptTimeoutMs', attemptTimeoutMs, TIME);
    const own =
      given.retry === undefined ? usual.retry : this.#retry(`${path}.retry`, name, given.retry);
    return { timeoutMs, attemptTimeoutMs, retry: own };
  }

  #retry(path: string, name: string, given: RetryRule | RetryPolicy): RetryPolicy {
    if (isPolicy(path, given)) {
      this.#retries.set(name, given);
      return given;
    }
    const { prefix, common, random } = this.#setting;
    const made = at(path, () => {
      refuseReserved(path, given);
      const shouldHandle = this.#handles((table, error) => table.isWorthRetrying(error));
      return retry({ ...given, name: prefix + name, shouldHandle, random, ...common });
    });
    this.#own.push(made);
    this.#retries.set(name, made);
    return made;
  }

  #attempt(label: string, { attemptTimeoutMs, timeoutMs }: ResolvedPlan): Executor {
    const { common } = this.#setting;
    return timeout({
      ...common,
      name: `${label}_attempt`,
      timeoutMs: attemptTimeoutMs ?? timeoutMs,
      // The span of a timeout that did not fire would only repeat the one around it.
      spans: common.spans === 'all' ? 'failures' : common.spans,
    });
  }

  #handles(
    counts: (table: ErrorTable, error: unknown) => boolean,
  ): (outcome: Outcome<unknown>, call: CallContext) => boolean {
    return (outcome, call) => {
      if (outcome.ok || wasCutShort(call)) return false;
      const table = this.#setting.tableOf(call.operation);
      return table !== undefined && counts(table, outcome.error);
    };
  }
}

function statsOf<S extends object>(
  policies: ReadonlyMap<string, { stats(): S }>,
): Readonly<Record<string, S>> {
  return Object.fromEntries([...policies].map(([name, policy]) => [name, policy.stats()]));
}

function refuseReserved(path: string, given: object): void {
  checkKnown(path, given, Object.keys(given));
  for (const name of RESERVED) {
    if (Object.hasOwn(given, name)) {
      throw new TypeError(`${path}: ${name} has no place here; it is set by harden.`);
    }
  }
}

/** Whether what was given is a policy, and no options. */
function isPolicy<P extends Policy>(path: string, given: object): given is P {
  if (typeof given !== 'object' || given === null) {
    throw new TypeError(`${path}: must be options or a policy, got ${show(given)}.`);
  }
  if (typeof (given as Partial<Policy>).execute !== 'function') return false;
  checkType(path, 'stats', (given as Partial<Policy>).stats, 'function');
  return true;
}
