import { auditLog } from '@temper/audit';
import { memorySink } from '@temper/audit/memory';
import { type ErrorLog, errorLog, systemClock } from '@temper/core';
import { Call, DEFAULT_SPANS, Listeners, show, systemRandom } from '@temper/core/policy';
import { type HealthCheck, type HealthMonitor, healthMonitor } from '@temper/health';
import { errorRecord, RecoveryHistory, type RecoveryRecord } from '@temper/recovery/plan';
import { gracefulShutdown } from '@temper/shutdown';
import { at, checkPort, entriesOf } from './checks.ts';
import { errorTableOf } from './error-table.ts';
import { Guard, guardedOperation } from './guard.ts';
import type { EndedOperation, GuardServices, OperationEvent } from './guarded-operation.ts';
import {
  CHECK,
  type CheckDefinition,
  checkOptions,
  type Hardened,
  type HardenOptions,
  OPERATION,
} from './harden-options.ts';
import type { AnyOperation } from './operation.ts';
import { PolicyMaker } from './policies.ts';

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
  const { telemetry } = options;
  const within = telemetry === undefined ? {} : { telemetry };
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
      common: { clock, spans, ...within },
      random,
      tableOf: (operation) => tables.get(operation ?? ''),
    });
    undo.push(maker);
    maker.share('harden.limiters', 'limiter', options.limiters ?? {});
    maker.share('harden.breakers', 'breaker', options.breakers ?? {});
    maker.share('harden.bulkheads', 'bulkhead', options.bulkheads ?? {});
    const audit =
      options.audit ??
      auditLog({ name, sinks: [memorySink({ capacity: 10_000 })], clock, ...within });
    if (options.audit === undefined) undo.push({ [Symbol.dispose]: () => void audit.close() });
    const errors: ErrorLog = errorLog({
      name,
      capacity: options.errorCapacity ?? 1000,
      clock,
      ...within,
    });
    undo.push(errors);
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
    const monitor = options.health ?? healthMonitor({ name, clock, ...within });
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
      errors[Symbol.dispose]();
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
