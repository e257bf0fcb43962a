import { type AuditEvent, type AuditLog, auditLog } from '@temper/audit';
import { memorySink } from '@temper/audit/memory';
import {
  type Clock,
  type ErrorContext,
  type ErrorLog,
  type ErrorStats,
  errorLog,
  type Policy,
  type Random,
  type SpanMode,
  systemClock,
} from '@temper/core';
import {
  ask,
  Call,
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  clockRule,
  DEFAULT_SPANS,
  Listeners,
  methodsRule,
  reportCallbackError,
  SPAN_MODES,
  show,
  systemRandom,
} from '@temper/core/policy';
import {
  type HealthCheck,
  type HealthMonitor,
  type HealthSummary,
  healthMonitor,
} from '@temper/health';
import {
  errorRecord,
  type HistoryQuery,
  RecoveryHistory,
  type RecoveryRecord,
  type RecoveryResult,
} from '@temper/recovery/plan';
import { gracefulShutdown, type ShutdownReport } from '@temper/shutdown';
import { at, checkPort, entriesOf, type Members } from './checks.ts';
import { errorTableOf } from './error-table.ts';
import {
  type EndedOperation,
  type Guarded,
  type GuardedOperationOptions,
  type GuardServices,
  type OperationEvent,
  type OperationOptions,
  runGuarded,
} from './guarded-operation.ts';
import { LastGood } from './last-good.ts';
import type {
  AnyOperation,
  ArgumentsOf,
  BreakerOptions,
  BulkheadOptions,
  LimiterOptions,
  PortContext,
  RememberOptions,
  ResultOf,
} from './operation.ts';
import { type HardenedPolicies, PolicyMaker, type PolicyStats } from './policies.ts';

/** A health check of {@link HardenOptions.checks}, registered under its name. */
export interface CheckDefinition
  extends Pick<HealthCheck, 'failureStatus' | 'timeoutMs' | 'ttlMs'> {
  /**
   * Uses what is checked, without the guards, so that an open circuit does not hide that it has recovered.
   * An error that it throws is a failure; what it returns is not looked at.
   */
  readonly check: (context: PortContext) => unknown;
}

/**
 * Options of {@link harden}.
 *
 * @typeParam O - the operations
 */
export interface HardenOptions<O extends Readonly<Record<string, AnyOperation>>> {
  /**
   * Names the audit log, the errors and the health monitor of this instance. Instances in one process need
   * different names: metrics of policies of one name add up.
   *
   * @throws {TypeError} at construction, unless a string of 1 to 128 characters
   */
  readonly name: string;
  /** What stands before the names of policies, in telemetry and errors. @defaultValue the name and a dot */
  readonly prefix?: string;
  /** The operations, by name: at least one. */
  readonly operations: O;
  /** Limiters that operations share, which they refer to by name. */
  readonly limiters?: Readonly<Record<string, LimiterOptions | Policy>>;
  /** Breakers that operations share, which they refer to by name. */
  readonly breakers?: Readonly<Record<string, BreakerOptions | Policy>>;
  /** Bulkheads that operations share, which they refer to by name. */
  readonly bulkheads?: Readonly<Record<string, BulkheadOptions | Policy>>;
  /** Health checks, by name. */
  readonly checks?: Readonly<Record<string, CheckDefinition>>;
  /**
   * Where outcomes are audited. A log that is given stays open at {@link Hardened.shutdown}; its owner
   * closes it.
   *
   * @defaultValue one in memory, of the last 10 000 events; give a durable one in production
   */
  readonly audit?: AuditLog;
  /** @defaultValue one of its own, with {@link checks} and nothing else */
  readonly health?: HealthMonitor;
  /**
   * How many errors are remembered.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless an integer from 0 to 1 000 000
   */
  readonly errorCapacity?: number;
  /**
   * Most operations in the history of {@link Hardened.recoveries}; 0 keeps none.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless an integer from 0 to 1 000 000
   */
  readonly historySize?: number;
  /**
   * Which calls of the policies get spans: all, those in which something went wrong, or none.
   *
   * @defaultValue 'failures'
   * @throws {TypeError} at construction, for any other value
   */
  readonly spans?: SpanMode;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
  /** @defaultValue `Math.random` */
  readonly random?: Random;
}

/** An operation behind its guards. */
export interface GuardedOperation<Args extends readonly unknown[], R> {
  /**
   * @throws what the operation failed with, unchanged (as a rejection), when there is no degraded answer
   * @throws {RateLimitExceededError | CircuitOpenError} (as a rejection) when it was refused
   * @throws {OperationTimeoutError | DeadlineExceededError} (as a rejection) when it was too slow
   */
  (...args: Args): Promise<Guarded<R>>;
  /**
   * The operation with options of a call.
   *
   * @throws {TypeError | RangeError} (as a rejection of the call) when an option is unknown or out of range
   */
  with(options: OperationOptions | undefined): (...args: Args) => Promise<Guarded<R>>;
}

/** Runs operations as results, and remembers how they were recovered. */
export interface HardenedRecoveries<O> {
  /** Runs an operation. Never rejects; with a degraded answer, the result has it beside the error. */
  execute<K extends keyof O>(
    operation: K,
    ...args: ArgumentsOf<O[K]>
  ): Promise<RecoveryResult<ResultOf<O[K]>>>;
  /**
   * The latest operations that match, however they were called, the oldest first.
   *
   * @throws {TypeError | RangeError} when the query has an unknown key or an invalid limit
   */
  history(query?: HistoryQuery): readonly RecoveryRecord[];
}

/** Errors by category and severity, and what the policies have done. Plain data. */
export interface HardenedStats extends ErrorStats, PolicyStats {}

/**
 * A toolchain whose every operation is guarded, classified, audited, counted and traced.
 *
 * @typeParam O - the definitions of its operations
 */
export interface Hardened<O extends Readonly<Record<string, AnyOperation>>>
  extends AsyncDisposable {
  readonly name: string;
  readonly operations: {
    readonly [K in keyof O]: GuardedOperation<ArgumentsOf<O[K]>, ResultOf<O[K]>>;
  };
  readonly policies: HardenedPolicies;
  readonly monitor: HealthMonitor;
  readonly recoveries: HardenedRecoveries<O>;
  /** Runs the health checks. */
  health(): Promise<HealthSummary>;
  errorStats(): HardenedStats;
  /** The last errors, oldest first. @defaultValue 100 of them */
  errors(limit?: number): readonly ErrorContext[];
  /** The last events of the audit log, oldest first: 100 by default; a limit of 0 is none. */
  auditLog(options?: { readonly limit?: number }): Promise<readonly AuditEvent[]>;
  /** Calls `listener` when an operation has ended, until disposed of. */
  onOperation(listener: (event: OperationEvent<keyof O & string>) => void): Disposable;
  /** Ends the waits, flushes the audit log, and returns a report. Runs once. */
  shutdown(): Promise<ShutdownReport>;
}

const OPTIONS: readonly (keyof HardenOptions<never>)[] = [
  'name',
  'prefix',
  'operations',
  'limiters',
  'breakers',
  'bulkheads',
  'checks',
  'audit',
  'health',
  'errorCapacity',
  'historySize',
  'spans',
  'clock',
  'random',
];

const OPERATION: Members = {
  run: ['function', 'required'],
  limiter: ['any', 'optional'],
  bulkhead: ['any', 'optional'],
  breaker: ['any', 'optional'],
  retry: ['any', 'optional'],
  timeoutMs: ['any', 'optional'],
  attemptTimeoutMs: ['any', 'optional'],
  errors: ['any', 'optional'],
  remember: ['object', 'optional'],
  degrade: ['function', 'optional'],
  isFailure: ['function', 'optional'],
  errorOf: ['function', 'optional'],
  resource: ['function', 'optional'],
  plans: ['object', 'optional'],
  planOf: ['function', 'optional'],
};

const CHECK: Members = {
  check: ['function', 'required'],
  failureStatus: ['string', 'optional'],
  timeoutMs: ['any', 'optional'],
  ttlMs: ['any', 'optional'],
};

const COUNT = { min: 0, max: 1_000_000, integer: true };

/**
 * Guards the operations of a toolchain: each runs through limiter, bulkhead, retry, breaker and timeout,
 * any of them or none, and its outcome is classified, audited, counted and traced.
 *
 * @throws {TypeError | RangeError} when an option is unknown, missing, of the wrong type or out of range;
 * the message names its path, such as `harden.operations.lint.breaker`
 * @throws {PipelineOrderError} when policies that were given can do no work in this order
 * @throws {DuplicateCheckError} when the monitor has a check of this name
 */
export function harden<O extends Readonly<Record<string, AnyOperation>>>(
  options: HardenOptions<O>,
): Hardened<O> {
  checkOptions(options);
  const { name, prefix = `${name}.`, historySize = 1000 } = options;
  const { clock = systemClock, random = systemRandom, spans = DEFAULT_SPANS } = options;
  const definitions = entriesOf<AnyOperation>('harden.operations', options.operations);
  if (definitions.length === 0) throw new TypeError('harden.operations: must have an operation.');
  const tables = new Map(
    definitions.map(([operation, definition]) => {
      const path = `harden.operations.${operation}`;
      checkPort(path, definition, OPERATION);
      return [operation, errorTableOf(definition.errors ?? [], `${path}.errors`)];
    }),
  );
  const history = new RecoveryHistory(historySize);
  const undo: Disposable[] = [];
  try {
    const maker = new PolicyMaker({
      prefix,
      clock,
      random,
      spans,
      tableOf: (operation) => tables.get(operation ?? ''),
    });
    undo.push(maker);
    maker.share('harden.limiters', 'limiter', options.limiters ?? {});
    maker.share('harden.breakers', 'breaker', options.breakers ?? {});
    maker.share('harden.bulkheads', 'bulkhead', options.bulkheads ?? {});
    const audit =
      options.audit ?? auditLog({ name, sinks: [memorySink({ capacity: 10_000 })], clock });
    if (options.audit === undefined) undo.push({ [Symbol.dispose]: () => void audit.close() });
    const errors: ErrorLog = errorLog({ name, capacity: options.errorCapacity ?? 1000, clock });
    const strategies = new Map<string, string>();
    const services: GuardServices = {
      clock,
      audit,
      errors,
      listeners: new Listeners(name, 'onOperation'),
      record: (ended) => history.add(recordOf(ended, strategies.get(ended.operation) ?? 'none')),
    };
    const guards = definitions.map(([operation, definition]) => {
      const path = `harden.operations.${operation}`;
      strategies.set(operation, strategyOf(definition));
      const guard = new Guard(path, operation, definition, services, {
        errors: tables.get(operation) as ReturnType<typeof errorTableOf>,
        pipelines: maker.operation(path, operation, definition),
      });
      return [operation, guardedOperation(guard)] as const;
    });
    maker.checkUsed();
    const monitor = options.health ?? healthMonitor({ name, clock });
    if (options.health === undefined) undo.push(monitor);
    for (const [check, definition] of entriesOf('harden.checks', options.checks ?? {})) {
      const path = `harden.checks.${check}`;
      checkPort(path, definition, CHECK);
      const registered = at(path, () => monitor.register(checkOf(check, definition)));
      if (options.health !== undefined) undo.push(registered);
    }
    return hardened(options, {
      services,
      history,
      maker,
      monitor,
      operations: Object.fromEntries(guards) as unknown as Hardened<O>['operations'],
    });
  } catch (error) {
    for (const one of undo.reverse()) one[Symbol.dispose]();
    throw error;
  }
}

interface Parts<O extends Readonly<Record<string, AnyOperation>>> {
  readonly services: GuardServices;
  readonly history: RecoveryHistory;
  readonly maker: PolicyMaker;
  readonly monitor: HealthMonitor;
  readonly operations: Hardened<O>['operations'];
}

function hardened<O extends Readonly<Record<string, AnyOperation>>>(
  options: HardenOptions<O>,
  { services, history, maker, monitor, operations }: Parts<O>,
): Hardened<O> {
  const { name } = options;
  const { audit, errors, clock } = services;
  const shutdown = gracefulShutdown({
    name,
    delayMs: 0,
    clock,
    ...(options.audit === undefined ? { auditLog: audit } : {}),
  });
  shutdown.register({
    name: 'release policies',
    run: () => {
      maker[Symbol.dispose]();
      if (options.health === undefined) monitor[Symbol.dispose]();
    },
  });
  return {
    name,
    operations,
    policies: maker.policies(),
    monitor,
    recoveries: {
      execute: async (operation, ...args) => {
        try {
          if (!Object.hasOwn(operations, operation)) {
            throw new TypeError(`${name}: there is no operation ${show(operation)}.`);
          }
          const { value, degraded } = await operations[operation](...args);
          return degraded === undefined
            ? { ok: true, value }
            : { ok: false, error: degraded.error, degraded: value };
        } catch (error) {
          return { ok: false, error };
        }
      },
      history: (query) => history.query(query),
    },
    health: () => monitor.getHealthSummary(),
    errorStats: () => ({ ...errors.stats(), ...maker.stats() }),
    errors: (limit = 100) => errors.recent(limit),
    auditLog: ({ limit = 100 } = {}) => audit.getEvents(limit),
    onOperation: (listener) => services.listeners.add(listener as (event: OperationEvent) => void),
    shutdown: () => shutdown.shutdown(),
    [Symbol.asyncDispose]: async () => {
      await shutdown.shutdown();
    },
  };
}

function checkOptions<O extends Readonly<Record<string, AnyOperation>>>(
  options: HardenOptions<O>,
): void {
  checkKnown('harden', options, OPTIONS);
  const { name, prefix, audit, health, errorCapacity, historySize, spans, clock, random } = options;
  checkName('harden', name);
  if (prefix !== undefined) checkType('harden', 'prefix', prefix, 'string');
  if (audit !== undefined) methodsRule('append', 'getEvents')('harden', 'audit', audit);
  if (health !== undefined) {
    methodsRule('register', 'getHealthSummary')('harden', 'health', health);
  }
  if (errorCapacity !== undefined) checkNumber('harden', 'errorCapacity', errorCapacity, COUNT);
  if (historySize !== undefined) checkNumber('harden', 'historySize', historySize, COUNT);
  if (spans !== undefined) checkOneOf('harden', 'spans', spans, SPAN_MODES);
  if (clock !== undefined) clockRule('harden', 'clock', clock);
  if (random !== undefined) checkType('harden', 'random', random, 'function');
}

const HEALTH = {
  operation: 'health',
  attributes: undefined,
  cost: undefined,
  priority: undefined,
  key: undefined,
};

function checkOf(name: string, { check, ...options }: CheckDefinition): HealthCheck {
  return {
    name,
    ...options,
    check: async ({ signal }) => {
      await check(new Call(1, undefined, HEALTH, signal));
    },
  };
}

/** The strategies of an operation, as a record of the history has them. */
function strategyOf({ retry, breaker, degrade, remember }: AnyOperation): string {
  const strategies = [
    retry === undefined ? [] : ['retry'],
    breaker === undefined ? [] : ['circuit_break'],
    degrade === undefined && remember === undefined ? [] : ['graceful_degrade'],
  ].flat();
  return strategies.join('+') || 'none';
}

function recordOf(
  { operation, status, attempts, startedAt, durationMs, error }: EndedOperation,
  strategy: string,
): Omit<RecoveryRecord, 'sequence'> {
  const recovered = status === 'success' && attempts > 1;
  const outcome = recovered ? 'recovered' : status === 'rejected' ? 'failure' : status;
  return {
    operation,
    strategy,
    outcome,
    recoveredBy: recovered ? 'retry' : undefined,
    attempts,
    startedAt,
    elapsedMs: durationMs,
    error: errorRecord(error),
  };
}

interface GuardParts extends Pick<GuardedOperationOptions<unknown>, 'errors'> {
  readonly pipelines: ReturnType<PolicyMaker['operation']>;
}

/** One operation and what guards it. */
class Guard {
  readonly #operation: string;
  readonly #definition: AnyOperation;
  readonly #services: GuardServices;
  readonly #parts: GuardParts;
  readonly #answers: LastGood<unknown> | undefined;

  constructor(
    path: string,
    operation: string,
    definition: AnyOperation,
    services: GuardServices,
    parts: GuardParts,
  ) {
    this.#operation = operation;
    this.#definition = definition;
    this.#services = services;
    this.#parts = parts;
    if (definition.remember !== undefined) {
      this.#answers = lastGoodOf(`${path}.remember`, definition.remember, services.clock);
    }
  }

  run(args: readonly unknown[], options: OperationOptions | undefined): Promise<Guarded<unknown>> {
    const { run, planOf, resource } = this.#definition;
    const { pipelines, errors } = this.#parts;
    const planned = pipelines.get(this.#text('planOf', planOf, args) ?? '') ?? pipelines.get('');
    if (planned === undefined) throw new TypeError(`${this.#operation}: there is no plan.`);
    let asked = 0;
    return runGuarded(
      this.#services,
      {
        operation: this.#operation,
        errors,
        ...planned,
        remember: (value, key) => this.#remember(value, key, args, asked),
        ...(this.#answers === undefined && this.#definition.degrade === undefined
          ? {}
          : { degrade: (error, key) => this.#degraded(error, key, args) }),
      },
      this.#text('resource', resource, args) ?? this.#operation,
      async (context) => {
        asked = this.#answers?.ask() ?? 0;
        const value: unknown = await run(context, ...args);
        this.#refuseFailure(value);
        return value;
      },
      options,
    );
  }

  /** @throws the error of a value that means failure */
  #refuseFailure(value: unknown): void {
    const { isFailure, errorOf } = this.#definition;
    if (isFailure === undefined || !ask(this.#operation, 'isFailure', isFailure, value)) return;
    throw errorOf?.(value) ?? (value as { error?: unknown } | null)?.error ?? value;
  }

  #remember(
    value: unknown,
    key: string | undefined,
    args: readonly unknown[],
    asked: number,
  ): void {
    if (this.#answers === undefined) return;
    const id = this.#idOf(args, key);
    if (id !== undefined) this.#answers.remember(id, value, asked);
  }

  async #degraded(
    error: unknown,
    key: string | undefined,
    args: readonly unknown[],
  ): Promise<Guarded<unknown> | undefined> {
    const id = this.#answers === undefined ? undefined : this.#idOf(args, key);
    const stale = id === undefined ? undefined : this.#answers?.recall(id);
    if (stale !== undefined) {
      const { value, ageMs } = stale;
      return { value, degraded: { by: 'stale', ageMs, error } };
    }
    const answer = await this.#definition.degrade?.({ error, key }, ...args);
    if (answer === undefined) return undefined;
    const { value, by, ageMs } = answer;
    return { value, degraded: { by, error, ...(ageMs === undefined ? {} : { ageMs }) } };
  }

  /** Identifies a question. An answer may depend on whom the call is for. */
  #idOf(args: readonly unknown[], key: string | undefined): string | undefined {
    const { remember } = this.#definition;
    const id = this.#text('remember.id', remember?.id, args);
    return id === undefined
      ? undefined
      : JSON.stringify([id, remember?.isPublic === true ? undefined : key]);
  }

  /** What a user's function says of the arguments. What it throws, or returns instead of text, is logged. */
  #text(
    option: string,
    say: ((...args: readonly unknown[]) => string | undefined) | undefined,
    args: readonly unknown[],
  ): string | undefined {
    try {
      const said: unknown = say?.(...args);
      if (said === undefined || typeof said === 'string') return said;
      throw new TypeError(`It must return a string, got ${show(said)}.`);
    } catch (error) {
      reportCallbackError(this.#operation, option, error);
      return undefined;
    }
  }
}

const REMEMBER: readonly (keyof RememberOptions<never>)[] = [
  'id',
  'maxEntries',
  'maxAgeMs',
  'isPublic',
];

function lastGoodOf(
  path: string,
  remember: RememberOptions<never>,
  clock: Clock,
): LastGood<unknown> {
  checkKnown(path, remember, REMEMBER);
  const { id, maxEntries = 1000, maxAgeMs = 86_400_000, isPublic = false } = remember;
  checkType(path, 'id', id, 'function');
  checkNumber(path, 'maxEntries', maxEntries, { min: 0, integer: true, infinite: false });
  checkNumber(path, 'maxAgeMs', maxAgeMs, { min: 0 });
  checkType(path, 'isPublic', isPublic, 'boolean');
  return new LastGood(maxEntries, maxAgeMs, () => clock.monotonic());
}

function guardedOperation(guard: Guard): GuardedOperation<readonly unknown[], unknown> {
  return Object.assign((...args: readonly unknown[]) => guard.run(args, undefined), {
    with:
      (options: OperationOptions | undefined) =>
      (...args: readonly unknown[]) =>
        guard.run(args, options),
  });
}
