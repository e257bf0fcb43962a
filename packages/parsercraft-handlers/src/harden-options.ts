import type { AuditEvent, AuditLog } from '@temper/audit';
import type {
  Clock,
  ErrorContext,
  ErrorStats,
  Policy,
  Random,
  SpanMode,
  TelemetryScope,
} from '@temper/core';
import {
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  clockRule,
  methodsRule,
  SPAN_MODES,
  telemetryRule,
} from '@temper/core/policy';
import type { HealthCheck, HealthMonitor, HealthSummary } from '@temper/health';
import type { HistoryQuery, RecoveryRecord, RecoveryResult } from '@temper/recovery/plan';
import type { ShutdownReport } from '@temper/shutdown';
import type { Members } from './checks.ts';
import type { Guarded, OperationEvent, OperationOptions } from './guarded-operation.ts';
import type {
  AnyOperation,
  ArgumentsOf,
  BreakerOptions,
  BulkheadOptions,
  LimiterOptions,
  PortContext,
  ResultOf,
} from './operation.ts';
import type { HardenedPolicies, PolicyStats } from './policies.ts';

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
  /**
   * Where the telemetry of the policies, of the audit log and of the health monitor made here goes, and which
   * attributes their metrics have besides; see `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
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
  'telemetry',
  'clock',
  'random',
];

/** What a definition of an operation must have, and may have. */
export const OPERATION: Members = {
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

/** What a health check must have, and may have. */
export const CHECK: Members = {
  check: ['function', 'required'],
  failureStatus: ['string', 'optional'],
  timeoutMs: ['any', 'optional'],
  ttlMs: ['any', 'optional'],
};

const COUNT = { min: 0, max: 1_000_000, integer: true };

/** @throws {TypeError | RangeError} naming the option that is unknown, missing or does not fit */
export function checkOptions<O extends Readonly<Record<string, AnyOperation>>>(
  options: HardenOptions<O>,
): void {
  checkKnown('harden', options, OPTIONS);
  const { name, prefix, audit, health, errorCapacity, historySize } = options;
  const { spans, telemetry, clock, random } = options;
  checkName('harden', name);
  if (prefix !== undefined) checkType('harden', 'prefix', prefix, 'string');
  if (audit !== undefined) methodsRule('append', 'getEvents')('harden', 'audit', audit);
  if (health !== undefined) {
    methodsRule('register', 'getHealthSummary')('harden', 'health', health);
  }
  if (errorCapacity !== undefined) checkNumber('harden', 'errorCapacity', errorCapacity, COUNT);
  if (historySize !== undefined) checkNumber('harden', 'historySize', historySize, COUNT);
  if (spans !== undefined) checkOneOf('harden', 'spans', spans, SPAN_MODES);
  if (telemetry !== undefined) telemetryRule('harden', 'telemetry', telemetry);
  if (clock !== undefined) clockRule('harden', 'clock', clock);
  if (random !== undefined) checkType('harden', 'random', random, 'function');
}
