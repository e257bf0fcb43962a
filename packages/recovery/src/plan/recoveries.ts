import {
  checkKnown,
  checkName,
  checkNumber,
  checkType,
  type ExecutionContext,
  type Operation,
  show,
} from '@temper/core';
import { type PlannedFunction, planOf } from './annotation.ts';
import { UnregisteredOperationError } from './errors.ts';
import { type HistoryQuery, RecoveryHistory, type RecoveryRecord } from './history.ts';
import { PlainRun } from './plain-run.ts';
import type { PlanEnvironment, RecoveryPlan } from './plan.ts';
import {
  DEFAULT_HISTORY,
  PlannedRecovery,
  type RecoverOptions,
  type Recovery,
  type RecoveryResult,
  type RecoveryStats,
} from './recovery.ts';

/** Options of {@link recoveries}. */
export interface RecoveriesOptions extends PlanEnvironment {
  /** Names the collection in errors. @defaultValue 'recoveries' */
  readonly name?: string;
  /** Plans to begin with, such as those of `parsePlans`. @defaultValue none */
  readonly plans?: readonly RecoveryPlan[];
  /**
   * The operations that are run by hand, with `execute` or `run`. Those given to `register` need not
   * be here.
   *
   * @defaultValue none
   */
  readonly operations?: readonly string[];
  /**
   * Executions kept in the history, of all operations together. 0 keeps none.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless an integer from 0 to 1 000 000
   */
  readonly historySize?: number;
}

/** Plans by operation. */
export interface Recoveries extends Disposable {
  /** Adds a plan. @throws {TypeError} when the operation has one already */
  add(plan: RecoveryPlan): Recovery;
  /** The plan in force for an operation; `undefined` without one. */
  get(operation: string): Recovery | undefined;
  /**
   * Registers an operation, and returns the function that runs it under its plan (plainly, when it has
   * none): same parameters but for the context, which the plan supplies.
   */
  register<Args extends readonly unknown[], R>(
    operation: string,
    fn: PlannedFunction<Args, R>,
  ): (...args: Args) => Promise<Awaited<R>>;
  /** The same for a function that carries its plan; see {@link withPlan}. */
  register<Args extends readonly unknown[], R>(
    fn: PlannedFunction<Args, R>,
  ): (...args: Args) => Promise<Awaited<R>>;
  /**
   * Call it when everything is registered.
   *
   * @throws {UnregisteredOperationError} when there is a plan for an operation that is neither
   * registered nor in `operations`
   */
  start(): void;
  /** Runs `fn` under the plan of `operation`; plainly, when there is none. Never rejects. */
  execute<T>(
    operation: string,
    fn: Operation<T>,
    options?: RecoverOptions,
  ): Promise<RecoveryResult<Awaited<T>>>;
  /** As {@link execute}, but resolves to the value and rejects with the error; see `Recovery.run`. */
  run<T>(operation: string, fn: Operation<T>, options?: RecoverOptions): Promise<Awaited<T>>;
  /** The last executions, those that the query asks for. */
  history(query?: HistoryQuery): readonly RecoveryRecord[];
  /** One entry per plan. */
  stats(): readonly RecoveryStats[];
}

class PlannedRecoveries implements Recoveries {
  readonly #name: string;
  readonly #environment: PlanEnvironment;
  readonly #plans = new Map<string, PlannedRecovery>();
  readonly #registered: Set<string>;
  readonly #history: RecoveryHistory;
  readonly #plain: PlainRun;

  constructor(options: RecoveriesOptions) {
    const owner = 'recoveries';
    this.#name = checkName(owner, options.name ?? owner);
    const { handlers, clock, random } = options;
    this.#environment = {
      ...(handlers === undefined ? {} : { handlers }),
      ...(clock === undefined ? {} : { clock }),
      ...(random === undefined ? {} : { random }),
    };
    this.#registered = new Set(options.operations);
    this.#history = new RecoveryHistory(
      checkNumber(owner, 'historySize', options.historySize ?? DEFAULT_HISTORY, {
        min: 0,
        max: 1_000_000,
        integer: true,
      }),
    );
    this.#plain = new PlainRun(this.#history, clock);
    for (const plan of options.plans ?? []) this.add(plan);
  }

  add(plan: RecoveryPlan): Recovery {
    if (this.#plans.has(plan.operation)) {
      throw new TypeError(`recoveries: '${plan.operation}' has a plan already.`);
    }
    const recovery = new PlannedRecovery(plan, this.#environment, this.#history);
    this.#plans.set(recovery.operation, recovery);
    return recovery;
  }

  get(operation: string): Recovery | undefined {
    return this.#plans.get(operation);
  }

  register<Args extends readonly unknown[], R>(
    first: string | PlannedFunction<Args, R>,
    second?: PlannedFunction<Args, R>,
  ): (...args: Args) => Promise<Awaited<R>> {
    const fn = typeof first === 'string' ? second : first;
    if (typeof fn !== 'function') {
      throw new TypeError(`recoveries: register needs a function, got ${show(fn)}.`);
    }
    const plan = planOf(fn);
    const operation = typeof first === 'string' ? first : plan?.operation;
    if (operation === undefined) {
      throw new TypeError(
        `recoveries: ${show(fn)} carries no plan; register it by an operation's name, or use withPlan.`,
      );
    }
    if (plan !== undefined && plan.operation !== operation) {
      throw new TypeError(
        `recoveries: the function registered as '${operation}' carries a plan for '${plan.operation}'.`,
      );
    }
    // A plan given from outside, such as a document, goes before the one beside the function.
    if (plan !== undefined && !this.#plans.has(operation)) this.add(plan);
    this.#registered.add(operation);
    return (...args) =>
      this.run(operation, (context: ExecutionContext) => fn(context, ...args), { args });
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
    options: RecoverOptions = {},
  ): Promise<RecoveryResult<Awaited<T>>> {
    const plan = this.#plans.get(operation);
    return plan === undefined
      ? this.#plain.execute(operation, fn, options)
      : plan.execute(fn, options);
  }

  async run<T>(
    operation: string,
    fn: Operation<T>,
    options: RecoverOptions = {},
  ): Promise<Awaited<T>> {
    const plan = this.#plans.get(operation);
    if (plan !== undefined) return plan.run(fn, options);
    const result = await this.#plain.execute(operation, fn, options);
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

/**
 * Makes a collection of plans by operation.
 *
 * @throws {TypeError | RangeError | PipelineOrderError} at once, when an option or a plan does not hold
 */
export function recoveries(options: RecoveriesOptions = {}): Recoveries {
  const known = ['name', 'plans', 'operations', 'historySize', 'handlers', 'clock', 'random'];
  checkKnown('recoveries', options, known);
  if (options.handlers !== undefined) {
    checkType('recoveries', 'handlers', options.handlers, 'object');
    for (const [name, handler] of Object.entries(options.handlers)) {
      checkType('recoveries', `handlers.${name}`, handler, 'function');
    }
  }
  return new PlannedRecoveries(options);
}
