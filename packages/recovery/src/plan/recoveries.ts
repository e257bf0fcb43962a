import { type CallContext, type Operation, systemClock } from '@temper/core';
import {
  type Defaults,
  invoke,
  nameRule,
  notify,
  numberRule,
  type OptionRule,
  type Resolved,
  resolveOptions,
  show,
  systemRandom,
} from '@temper/core/policy';
import { type PlannedFunction, planOf } from './annotation.ts';
import { executionOptions } from './call-options.ts';
import type { RecoverOptions, Recovery, RecoveryResult, RecoveryStats } from './contract.ts';
import { UnregisteredOperationError } from './errors.ts';
import { Executions } from './executions.ts';
import { type HistoryQuery, RecoveryHistory, type RecoveryRecord } from './history.ts';
import { ENVIRONMENT_RULES, type PlanEnvironment, type RecoveryPlan } from './plan.ts';
import { DEFAULT_HISTORY, PlannedRecovery } from './recovery.ts';
import { PlanObserver } from './telemetry.ts';

/** Stands on metrics for operations without a plan, of which there may be any number. */
const UNPLANNED = 'unplanned';

/** Options of {@link recoveries}. */
export interface RecoveriesOptions extends PlanEnvironment {
  /** Names the collection in errors. @defaultValue 'recoveries' */
  readonly name?: string;
  /** The first plans, such as those of `parsePlans`. @defaultValue none */
  readonly plans?: readonly RecoveryPlan[];
  /**
   * Operations that are run by name, with `execute` or `run`. Those given to `register` need not be
   * listed.
   *
   * @defaultValue none
   */
  readonly operations?: readonly string[];
  /**
   * Most executions in the history, of all operations together. 0 keeps none.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless an integer from 0 to 1 000 000
   */
  readonly historySize?: number;
}

/** Options of a registered function: the same for every call, or computed from its arguments. */
export type RegisterOptions<Args extends readonly unknown[]> =
  | Omit<RecoverOptions, 'args'>
  | ((...args: Args) => Omit<RecoverOptions, 'args'> | undefined);

/** Plans by operation. */
export interface Recoveries extends Disposable {
  /** Adds a plan. @throws {TypeError} when the operation has one, or the plan is invalid */
  add(plan: RecoveryPlan): Recovery;
  /** The plan of an operation; `undefined` without one. */
  get(operation: string): Recovery | undefined;
  /**
   * Registers an operation, and returns a function that runs it under its plan, or plainly when it has
   * none. Its parameters are those of `fn` after the context.
   *
   * @throws {TypeError} when `fn` is not a function, or fixed options are invalid
   */
  register<Args extends readonly unknown[], R>(
    operation: string,
    fn: PlannedFunction<Args, R>,
    options?: RegisterOptions<Args>,
  ): (...args: Args) => Promise<Awaited<R>>;
  /** The same for a function with a plan attached; see {@link withPlan}. */
  register<Args extends readonly unknown[], R>(
    fn: PlannedFunction<Args, R>,
    options?: RegisterOptions<Args>,
  ): (...args: Args) => Promise<Awaited<R>>;
  /**
   * Checks that every plan has its operation. Call it when everything is registered.
   *
   * @throws {UnregisteredOperationError} when there is a plan for an operation that is neither
   * registered nor in `operations`
   */
  start(): void;
  /** Runs `fn` under the plan of `operation`, or plainly when it has none. Never rejects. */
  execute<T>(
    operation: string,
    fn: Operation<T>,
    options?: RecoverOptions,
  ): Promise<RecoveryResult<Awaited<T>>>;
  /** As {@link execute}, but resolves to the value and rejects with the error; see `Recovery.run`. */
  run<T>(operation: string, fn: Operation<T>, options?: RecoverOptions): Promise<Awaited<T>>;
  /** The latest executions that match the query, the oldest first. */
  history(query?: HistoryQuery): readonly RecoveryRecord[];
  /** One entry per plan. */
  stats(): readonly RecoveryStats[];
}

const OWNER = 'recoveries';

class PlannedRecoveries implements Recoveries {
  readonly #name: string;
  readonly #environment: PlanEnvironment;
  readonly #plans = new Map<string, PlannedRecovery>();
  readonly #registered: Set<string>;
  readonly #history: RecoveryHistory;
  readonly #unplanned: Executions;

  constructor(options: Resolved<RecoveriesOptions, 'telemetry'>) {
    const { name, handlers, clock, random, telemetry } = options;
    const within = telemetry === undefined ? {} : { telemetry };
    this.#name = name;
    this.#environment = { handlers, clock, random, ...within };
    this.#registered = new Set(options.operations);
    this.#history = new RecoveryHistory(options.historySize);
    const strategy = 'none';
    this.#unplanned = new Executions({
      strategy,
      clock,
      history: this.#history,
      observer: new PlanObserver(UNPLANNED, strategy, { spans: 'none', clock, ...within }),
    });
    for (const plan of options.plans) this.add(plan);
  }

  add(plan: RecoveryPlan): Recovery {
    const recovery = new PlannedRecovery(plan, this.#environment, this.#history);
    if (this.#plans.has(recovery.operation)) {
      recovery[Symbol.dispose]();
      throw new TypeError(`${OWNER}: ${show(recovery.operation)} already has a plan.`);
    }
    this.#plans.set(recovery.operation, recovery);
    return recovery;
  }

  get(operation: string): Recovery | undefined {
    return this.#plans.get(operation);
  }

  register<Args extends readonly unknown[], R>(
    ...given:
      | [
          operation: string,
          fn: PlannedFunction<Args, R>,
          options?: RegisterOptions<Args> | undefined,
        ]
      | [fn: PlannedFunction<Args, R>, options?: RegisterOptions<Args> | undefined]
  ): (...args: Args) => Promise<Awaited<R>> {
    const [name, fn, options] = (typeof given[0] === 'string' ? given : [undefined, ...given]) as [
      string | undefined,
      PlannedFunction<Args, R>,
      RegisterOptions<Args>?,
    ];
    const operation = this.#operationOf(name, fn);
    const owner = `${OWNER}: ${show(operation)}`;
    if (options !== undefined && typeof options !== 'function') registered(owner, options, []);
    this.#registered.add(operation);
    return async (...args: Args): Promise<Awaited<R>> => {
      const own = typeof options === 'function' ? options(...args) : options;
      // A promise is refused below; its rejection must not end the process.
      notify(owner, 'register options', () => own);
      const all = registered(owner, own, args);
      return this.run(operation, (call: CallContext) => fn(call, ...args), all);
    };
  }

  /** The operation that a function is registered for; adds the plan that is attached to it. */
  #operationOf(name: string | undefined, fn: unknown): string {
    if (typeof fn !== 'function') {
      throw new TypeError(`${OWNER}: register needs a function, got ${show(fn)}.`);
    }
    const plan = planOf(fn);
    const operation = name ?? plan?.operation;
    if (operation === undefined) {
      throw new TypeError(
        `${OWNER}: ${show(fn)} has no plan; register it with the name of an operation, or use withPlan.`,
      );
    }
    if (plan !== undefined && plan.operation !== operation) {
      throw new TypeError(
        `${OWNER}: the function registered as ${show(operation)} has a plan for ${show(plan.operation)}.`,
      );
    }
    // A plan from outside, such as a document, takes precedence over the one of the function.
    if (plan !== undefined && !this.#plans.has(operation)) this.add(plan);
    return operation;
  }

  start(): void {
    const missing = [...this.#plans.keys()].filter((name) => !this.#registered.has(name));
    if (missing.length > 0) {
      throw new UnregisteredOperationError(this.#name, missing, [...this.#registered]);
    }
  }

  execute<T>(
    operation: string,
    fn: Operation<T>,
    options?: RecoverOptions,
  ): Promise<RecoveryResult<Awaited<T>>> {
    const plan = this.#plans.get(operation);
    if (plan !== undefined) return plan.execute(fn, options);
    return this.#unplanned.execute(operation, fn, options, (work, call, execution) => {
      execution.attempts = 1;
      return invoke(work, call);
    });
  }

  async run<T>(operation: string, fn: Operation<T>, options?: RecoverOptions): Promise<Awaited<T>> {
    const plan = this.#plans.get(operation);
    if (plan !== undefined) return plan.run(fn, options);
    const result = await this.execute(operation, fn, options);
    if (result.ok) return result.value;
    throw result.error;
  }

  history(query?: HistoryQuery): readonly RecoveryRecord[] {
    return this.#history.query(query);
  }

  stats(): readonly RecoveryStats[] {
    return [...this.#plans.values()].map((plan) => plan.stats());
  }

  [Symbol.dispose](): void {
    for (const plan of this.#plans.values()) plan[Symbol.dispose]();
  }
}

/** The options of one call of a registered function. */
function registered(
  owner: string,
  options: Omit<RecoverOptions, 'args'> | undefined,
  args: readonly unknown[],
): RecoverOptions {
  const { call } = executionOptions(owner, 'registered', options);
  if (options !== undefined && (options as RecoverOptions).args !== undefined) {
    throw new TypeError(`${owner}: args cannot be set here: they are those of the function.`);
  }
  const { operation: _, ...rest } = call;
  return { ...rest, args };
}

const listRule =
  (item: string, fits: (value: unknown) => boolean): OptionRule =>
  (owner, option, value) => {
    if (Array.isArray(value) && value.every(fits)) return;
    throw new TypeError(`${owner}: ${option} must be an array of ${item}, got ${show(value)}.`);
  };

/**
 * Creates a collection of plans by operation.
 *
 * @throws {TypeError | RangeError | PipelineOrderError} when an option or a plan is invalid
 */
export function recoveries(options: RecoveriesOptions = {}): Recoveries {
  const defaults: Defaults<RecoveriesOptions, 'telemetry'> = {
    name: OWNER,
    plans: [],
    operations: [],
    historySize: DEFAULT_HISTORY,
    handlers: {},
    clock: systemClock,
    random: systemRandom,
  };
  const all = resolveOptions<RecoveriesOptions, 'telemetry'>(OWNER, options, defaults, {
    name: nameRule,
    plans: listRule('plans', (plan) => typeof plan === 'object' && plan !== null),
    operations: listRule('names', (name) => typeof name === 'string' && name !== ''),
    historySize: numberRule({ min: 0, max: 1_000_000, integer: true }),
    ...ENVIRONMENT_RULES,
  });
  return new PlannedRecoveries(all);
}
