import type { AuditEvent, AuditLog } from '@temper/audit';
import type { BreakerStats, CircuitBreaker } from '@temper/breaker';
import type { ErrorContext } from '@temper/core';
import { checkKnown } from '@temper/core/policy';
import type { HealthMonitor, HealthSummary } from '@temper/health';
import type { RateLimiter, TokenBucketStats } from '@temper/ratelimit';
import type { RetryPolicy } from '@temper/retry';
import type { ShutdownReport } from '@temper/shutdown';
import type { Bulkhead, KeyShare } from '../bulkhead.ts';
import { at, checkPort } from '../checks.ts';
import type { Guarded, OperationEvent, OperationOptions } from '../guarded-operation.ts';
import { harden } from '../harden.ts';
import type { HardenedRecoveries, HardenedStats } from '../harden-options.ts';
import type { OperationDefinition } from '../operation.ts';
import { ERROR_TABLES, type OperationName } from './error-tables.ts';
import { PORTS, type Subsystems } from './ports.ts';
import {
  type HardeningOverrides,
  type HardeningRuntime,
  type HardeningSettings,
  type PlanSetting,
  resolveSettings,
} from './settings.ts';

/** Options of {@link parserCraftHardening}. */
export interface HardeningOptions extends HardeningRuntime {
  /**
   * Names this instance among several in a process: it stands before the names of its policies, with a dot.
   *
   * @defaultValue the policies have the report's names, and the rest is called `parsercraft`
   */
  readonly name?: string;
  /** Values that differ from the report's; see `readSettings` for a YAML file of them. */
  readonly settings?: HardeningOverrides;
  /**
   * Where outcomes are audited. A log that is given stays open at {@link ParserCraftHardening.shutdown};
   * its owner closes it.
   *
   * @defaultValue one in memory, of the last 10 000 events; give a durable one in production
   */
  readonly audit?: AuditLog;
  /** @defaultValue one of its own, with the four checks and nothing else */
  readonly health?: HealthMonitor;
}

/** Every policy of a hardened ParserCraft, by its name in the report. */
export interface HardeningPolicies {
  readonly breakers: Readonly<Record<keyof HardeningSettings['breakers'], CircuitBreaker>>;
  readonly limiters: Readonly<
    Record<keyof HardeningSettings['limiters'], RateLimiter<TokenBucketStats>>
  >;
  readonly bulkheads: Readonly<Record<keyof HardeningSettings['bulkheads'], Bulkhead>>;
  /** For limiters of which a key may use only a share. */
  readonly shares: Readonly<Partial<Record<keyof HardeningSettings['limiters'], KeyShare>>>;
  readonly retries: Readonly<Partial<Record<OperationName, RetryPolicy>>>;
}

/** What an operation is guarded with, outermost first. */
export interface PipelineParts {
  readonly limiter?: keyof HardeningSettings['limiters'];
  readonly bulkhead: keyof HardeningSettings['bulkheads'];
  readonly breaker: keyof HardeningSettings['breakers'];
}

/** Which limiter, bulkhead and breaker guard which operation. */
export const PIPELINE_PARTS: Readonly<Record<OperationName, PipelineParts>> = {
  ast_codegen: { limiter: 'ast_analysis', bulkhead: 'ast', breaker: 'ast_codegen' },
  type_inference: { limiter: 'ast_analysis', bulkhead: 'ast', breaker: 'ast_codegen' },
  check_protocol: { bulkhead: 'protocols', breaker: 'protocol_check' },
  fetch_package: { limiter: 'registry_query', bulkhead: 'registry', breaker: 'registry_fetch' },
  lsp_operation: { limiter: 'lsp_requests', bulkhead: 'lsp', breaker: 'lsp_operation' },
};

/** The definitions of the five operations. The second argument of the first three names what is worked on. */
export type ParserCraftOperations<Program, Code, Types, Request, Report, Package, Params, Answer> =
  {
    readonly ast_codegen: OperationDefinition<[program: Program, resource: string], Code>;
    readonly type_inference: OperationDefinition<[program: Program, resource: string], Types>;
    readonly check_protocol: OperationDefinition<[request: Request, resource: string], Report>;
    readonly fetch_package: OperationDefinition<[name: string, range: string], Package>;
    readonly lsp_operation: OperationDefinition<[method: string, params: Params], Answer>;
  };

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
  /** The report's `recovery_manager`: runs operations as results, and remembers how they ended. */
  readonly recoveries: HardenedRecoveries<
    ParserCraftOperations<Program, Code, Types, Request, Report, Package, Params, Answer>
  >;
  /** Runs the four checks, each of which exercises its subsystem. */
  health(): Promise<HealthSummary>;
  /** Errors by category and severity, and what breakers, limiters and bulkheads have done. */
  errorStats(): HardenedStats & {
    readonly breakers: Readonly<Record<keyof HardeningSettings['breakers'], BreakerStats>>;
    readonly limiters: Readonly<Record<keyof HardeningSettings['limiters'], TokenBucketStats>>;
  };
  /** The last errors, oldest first. */
  errors(limit?: number): readonly ErrorContext[];
  /** The last events of the audit log, oldest first; a limit of 0 is none. */
  auditLog(options?: { readonly limit?: number }): Promise<readonly AuditEvent[]>;
  /** Calls `listener` when an operation has ended, until disposed of. */
  onOperation(listener: (event: OperationEvent<OperationName>) => void): Disposable;
  /** Ends the waits, flushes the audit log, and returns a report. Runs once. */
  shutdown(): Promise<ShutdownReport>;
}

const OPTIONS: readonly (keyof HardeningOptions)[] = [
  'name',
  'settings',
  'audit',
  'health',
  'spans',
  'telemetry',
  'clock',
  'random',
];

/**
 * The preset of {@link harden} for a ParserCraft: the report's breakers, limiters, plans, health checks and
 * error tables around its four subsystems.
 *
 * @throws {TypeError | RangeError} when an option or a member of a subsystem is unknown, missing or of the
 * wrong type, or a setting does not fit; the message names its path
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
  checkKnown('parserCraftHardening', options, OPTIONS);
  checkPort('parserCraftHardening', subsystems, PORTS.subsystems);
  for (const port of ['ast', 'protocols', 'registry', 'lsp'] as const) {
    checkPort(`parserCraftHardening.${port}`, subsystems[port], PORTS[port]);
  }
  const { name, settings: overrides, ...others } = options;
  const settings = resolveSettings(overrides);
  const kit = at('parserCraftHardening', () =>
    harden({
      ...others,
      name: name ?? 'parsercraft',
      prefix: name === undefined ? '' : `${name}.`,
      errorCapacity: settings.errors.capacity,
      limiters: settings.limiters,
      breakers: settings.breakers,
      bulkheads: settings.bulkheads,
      operations: operationsOf(subsystems, settings),
      checks: checksOf(subsystems, settings.health),
    }),
  );
  const { operations, policies, monitor, recoveries } = kit;
  const {
    ast_codegen: generate,
    type_inference: infer,
    check_protocol: check,
    fetch_package: fetch,
    lsp_operation: request,
  } = operations;
  return {
    ast: {
      generateCode: (program, resource = 'program', own) => generate.with(own)(program, resource),
      inferTypes: (program, resource = 'program', own) => infer.with(own)(program, resource),
    },
    protocols: {
      check: (asked, resource = 'protocols', own) => check.with(own)(asked, resource),
    },
    registry: { fetchPackage: (id, range, own) => fetch.with(own)(id, range) },
    lsp: { request: (method, params, own) => request.with(own)(method, params) },
    settings,
    policies: policies as unknown as HardeningPolicies,
    monitor,
    recoveries,
    health: () => kit.health(),
    errorStats: () => kit.errorStats() as ReturnType<ParserCraftHardening['errorStats']>,
    errors: (limit) => kit.errors(limit),
    auditLog: (asked) => kit.auditLog(asked),
    onOperation: (listener) => kit.onOperation(listener),
    shutdown: () => kit.shutdown(),
    [Symbol.asyncDispose]: () => kit[Symbol.asyncDispose](),
  };
}

function operationsOf<P, C, T, Q, R, K, A, W>(
  { ast, protocols, registry, lsp }: Subsystems<P, C, T, Q, R, K, A, W>,
  { plans, methods, cache }: HardeningSettings,
): ParserCraftOperations<P, C, T, Q, R, K, A, W> {
  const guards = (each: OperationName) => ({
    ...PIPELINE_PARTS[each],
    ...planOf(plans[each]),
    errors: ERROR_TABLES[each],
  });
  return {
    ast_codegen: {
      ...guards('ast_codegen'),
      run: (context, program: P, _resource: string) => ast.generateCode(program, context),
      resource: (_, resource) => resource,
    },
    type_inference: {
      ...guards('type_inference'),
      run: (context, program: P, _resource: string) => ast.inferTypes(program, context),
      resource: (_, resource) => resource,
    },
    check_protocol: {
      ...guards('check_protocol'),
      run: (context, request: Q, _resource: string) => protocols.check(request, context),
      resource: (_, resource) => resource,
      degrade: async ({ error }, request) =>
        protocols.unchecked === undefined
          ? undefined
          : { value: await protocols.unchecked(request, error), by: 'unchecked' },
    },
    // #region fetch a package
    fetch_package: {
      ...guards('fetch_package'),
      run: (context, id: string, range: string) => registry.fetchPackage(id, range, context),
      resource: (id, range) => `${id}@${range}`,
      remember: {
        id: (id, range) => JSON.stringify([id, range]),
        maxEntries: cache.maxPackages,
        maxAgeMs: cache.maxAgeMs,
        isPublic: registry.isPublic === true,
      },
      isFailure: (value) => registry.isFailure?.(value) ?? false,
      errorOf: (value) => registry.errorOf?.(value) ?? (value as { error?: unknown }).error,
    },
    // #endregion
    // #region ask the language server
    lsp_operation: {
      ...guards('lsp_operation'),
      run: (context, method: string, params: A) => lsp.request(method, params, context),
      resource: (method) => method,
      plans: Object.fromEntries(
        Object.entries(methods).map(([method, plan]) => [method, planOf(plan)]),
      ),
      planOf: (method) => method,
      degrade: async ({ error: _, key }, method, params) => {
        const value = await lsp.lastGood?.(method, params, key);
        return value === undefined ? undefined : { value, by: 'last-good' };
      },
    },
    // #endregion
  };
}

/** A setting as a plan of {@link harden}; one attempt is no retry. */
function planOf({ maxAttempts, retryDelayMs, timeoutMs, attemptTimeoutMs }: PlanSetting) {
  const retry = maxAttempts === 1 ? undefined : { maxAttempts, initialDelayMs: retryDelayMs };
  return { retry, timeoutMs, attemptTimeoutMs };
}

/** The report's three checks, and one of the protocols. */
function checksOf<P, C, T, Q, R, K, A, W>(
  { ast, protocols, registry, lsp }: Subsystems<P, C, T, Q, R, K, A, W>,
  times: HardeningSettings['health'],
) {
  return {
    ast_integration: {
      ...times,
      check: async (context) => {
        await ast.generateCode(ast.probe, context);
        await ast.inferTypes(ast.probe, context);
      },
    },
    // Without it, callers get a report of what was not checked.
    protocols: {
      ...times,
      failureStatus: 'degraded',
      check: (context) => protocols.check(protocols.probe, context),
    },
    registry: { ...times, failureStatus: 'degraded', check: (context) => registry.probe(context) },
    lsp: { ...times, check: (context) => lsp.probe(context) },
  } satisfies Parameters<typeof harden>[0]['checks'];
}
