import { type AuditEvent, type AuditLog, auditLog } from '@temper/audit';
import { memorySink } from '@temper/audit/memory';
import {
  type ErrorContext,
  type ErrorLog,
  type ErrorStats,
  errorLog,
  systemClock,
} from '@temper/core';
import { ask, checkKnown, DEFAULT_SPANS, Listeners, systemRandom } from '@temper/core/policy';
import { type HealthMonitor, type HealthSummary, healthMonitor } from '@temper/health';
import { gracefulShutdown, type ShutdownReport } from '@temper/shutdown';
import type { OperationName } from './error-tables.ts';
import {
  type Guarded,
  type GuardedOperationOptions,
  type GuardServices,
  type OperationEvent,
  type OperationOptions,
  runGuarded,
} from './guarded-operation.ts';
import { registerHealthChecks } from './health-checks.ts';
import { LastGood } from './last-good.ts';
import {
  type HardeningOverrides,
  type HardeningRuntime,
  type HardeningSettings,
  resolveSettings,
} from './options.ts';
import { type HardeningPolicies, makePipeline, makePolicies } from './pipelines.ts';
import type { Subsystems } from './ports.ts';

/** Options of {@link parserCraftHardening}. */
export interface HardeningOptions extends HardeningRuntime {
  /** Values that differ from the report's; see `readSettings` for a YAML file of them. */
  readonly settings?: HardeningOverrides;
  /**
   * Where outcomes are audited. A log that is given stays open at {@link ParserCraftHardening.shutdown};
   * its owner closes it.
   *
   * @defaultValue one in memory, of the last 10 000 events; give a durable one in production
   */
  readonly audit?: AuditLog;
  /** @defaultValue one of its own, with the three checks and nothing else */
  readonly health?: HealthMonitor;
}

/** A ParserCraft whose every operation is guarded, classified, audited, counted and traced. */
export interface ParserCraftHardening<
  Program = unknown,
  Code = unknown,
  Types = unknown,
  Request = unknown,
  Report = unknown,
  Package = unknown,
  Params = unknown,
  Answer = unknown,
> extends AsyncDisposable {
  readonly ast: {
    /** @param resource - what is compiled, for the audit log */
    generateCode(
      program: Program,
      resource?: string,
      options?: OperationOptions,
    ): Promise<Guarded<Code>>;
    inferTypes(
      program: Program,
      resource?: string,
      options?: OperationOptions,
    ): Promise<Guarded<Types>>;
  };
  readonly protocols: {
    check(
      request: Request,
      resource?: string,
      options?: OperationOptions,
    ): Promise<Guarded<Report>>;
  };
  readonly registry: {
    /** A package, or an older copy with its age while the registry is away. */
    fetchPackage(
      name: string,
      range: string,
      options?: OperationOptions,
    ): Promise<Guarded<Package>>;
  };
  readonly lsp: {
    request(method: string, params: Params, options?: OperationOptions): Promise<Guarded<Answer>>;
  };
  readonly settings: HardeningSettings;
  readonly policies: HardeningPolicies;
  readonly monitor: HealthMonitor;
  /** Runs the three checks, each of which exercises its subsystem. */
  health(): Promise<HealthSummary>;
  errorStats(): ErrorStats;
  /** The last errors, oldest first. */
  errors(limit?: number): readonly ErrorContext[];
  /** The last events of the audit log, oldest first; a limit of 0 is none. */
  auditLog(options?: { readonly limit?: number }): Promise<readonly AuditEvent[]>;
  /** Calls `listener` when an operation has ended, until disposed of. */
  onOperation(listener: (event: OperationEvent) => void): Disposable;
  /** Ends the waits, flushes the audit log, and returns a report. Runs once. */
  shutdown(): Promise<ShutdownReport>;
}

/**
 * Wires the report's breakers, limiters, plans, health checks and error tables around the four
 * subsystems of a ParserCraft, each operation through one pipeline.
 *
 * @throws {TypeError | RangeError} when an option is unknown, or a setting does not fit; the message
 * names its path
 */
export function parserCraftHardening<
  Program,
  Code,
  Types,
  Request,
  Report,
  Package,
  Params,
  Answer,
>(
  subsystems: Subsystems<Program, Code, Types, Request, Report, Package, Params, Answer>,
  options: HardeningOptions = {},
): ParserCraftHardening<Program, Code, Types, Request, Report, Package, Params, Answer> {
  checkKnown('parserCraftHardening', options, [
    'settings',
    'audit',
    'health',
    'spans',
    'clock',
    'random',
  ]);
  const { ast, protocols, registry, lsp } = subsystems;
  const { clock = systemClock, random = systemRandom, spans = DEFAULT_SPANS } = options;
  const settings = resolveSettings(options.settings);
  const policies = makePolicies(settings, { clock, random, spans });
  const ownAudit = options.audit === undefined;
  const audit =
    options.audit ??
    auditLog({ name: 'parsercraft', sinks: [memorySink({ capacity: 10_000 })], clock });
  const errors: ErrorLog = errorLog({
    name: 'parsercraft',
    capacity: settings.errors.capacity,
    clock,
  });
  const services: GuardServices = {
    clock,
    audit,
    errors,
    listeners: new Listeners('parsercraft', 'onOperation'),
  };
  const packages = new LastGood<Package>(settings.cache.maxPackages, settings.cache.maxAgeMs, () =>
    clock.monotonic(),
  );
  const monitor = options.health ?? healthMonitor({ name: 'parsercraft', clock });
  registerHealthChecks(monitor, subsystems, settings.health);

  const guard = <T>(
    operation: OperationName,
    answers: Pick<GuardedOperationOptions<T>, 'degrade' | 'remember'> = {},
  ): GuardedOperationOptions<T> => ({
    operation,
    pipeline: pipelines[operation],
    timeoutMs: settings.plans[operation].timeoutMs,
    degradeTimeoutMs: settings.plans[operation].attemptTimeoutMs,
    ...answers,
  });
  const pipelines = {
    ast_codegen: makePipeline('ast_codegen', settings, policies, { clock, spans }),
    type_inference: makePipeline('type_inference', settings, policies, { clock, spans }),
    check_protocol: makePipeline('check_protocol', settings, policies, { clock, spans }),
    fetch_package: makePipeline('fetch_package', settings, policies, { clock, spans }),
    lsp_operation: makePipeline('lsp_operation', settings, policies, { clock, spans }),
  };

  const shutdown = gracefulShutdown({
    name: 'parsercraft',
    delayMs: 0,
    clock,
    ...(ownAudit ? { auditLog: audit } : {}),
  });
  shutdown.register({
    name: 'release policies',
    run: () => {
      const { breakers, limiters, bulkheads, shares, retries } = policies;
      for (const group of [breakers, limiters, bulkheads, shares, retries]) {
        for (const policy of Object.values(group)) policy[Symbol.dispose]();
      }
      if (options.health === undefined) monitor[Symbol.dispose]();
    },
  });

  return {
    ast: {
      generateCode: (program, resource = 'program', own) =>
        runGuarded(
          services,
          guard<Code>('ast_codegen'),
          resource,
          (context) => ast.generateCode(program, context),
          own,
        ),
      inferTypes: (program, resource = 'program', own) =>
        runGuarded(
          services,
          guard<Types>('type_inference'),
          resource,
          (context) => ast.inferTypes(program, context),
          own,
        ),
    },
    protocols: {
      check: (request, resource = 'protocols', own) =>
        runGuarded(
          services,
          guard<Report>('check_protocol', {
            degrade: async (error) =>
              protocols.unchecked === undefined
                ? undefined
                : {
                    value: await protocols.unchecked(request, error),
                    degraded: { by: 'unchecked', error },
                  },
          }),
          resource,
          (context) => protocols.check(request, context),
          own,
        ),
    },
    registry: {
      fetchPackage: (name, range, own) => {
        // An answer may depend on whom the call is for.
        const idOf = (key: string | undefined): string =>
          JSON.stringify([name, range, registry.isPublic === true ? undefined : key]);
        let asked = 0;
        return runGuarded(
          services,
          guard<Package>('fetch_package', {
            remember: (value, key) => packages.remember(idOf(key), value, asked),
            degrade: async (error, key) => {
              const stale = packages.recall(idOf(key));
              return stale === undefined
                ? undefined
                : { value: stale.value, degraded: { by: 'stale', ageMs: stale.ageMs, error } };
            },
          }),
          `${name}@${range}`,
          async (context) => {
            asked = packages.ask();
            const value = await registry.fetchPackage(name, range, context);
            const failed = ask(
              'fetch_package',
              'isFailure',
              (v) => registry.isFailure?.(v) ?? false,
              value,
            );
            if (!failed) return value;
            throw registry.errorOf?.(value) ?? (value as { error?: unknown }).error ?? value;
          },
          own,
        );
      },
    },
    lsp: {
      request: (method, params, own) =>
        runGuarded(
          services,
          guard<Answer>('lsp_operation', {
            degrade: async (error, key) => {
              const value = await lsp.lastGood?.(method, params, key);
              return value === undefined
                ? undefined
                : { value, degraded: { by: 'last-good', error } };
            },
          }),
          method,
          (context) => lsp.request(method, params, context),
          own,
        ),
    },
    settings,
    policies,
    monitor,
    health: () => monitor.getHealthSummary(),
    errorStats: () => errors.stats(),
    errors: (limit = 100) => errors.recent(limit),
    auditLog: ({ limit = 100 } = {}) => audit.getEvents(limit),
    onOperation: (listener) => services.listeners.add(listener),
    shutdown: () => shutdown.shutdown(),
    [Symbol.asyncDispose]: async () => {
      await shutdown.shutdown();
    },
  };
}
