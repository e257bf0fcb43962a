import type { Clock, Random, SpanMode, TelemetryScope } from '@temper/core';
import { checkKnown, checkNumber, checkType, show } from '@temper/core/policy';
import { entriesOf } from '../checks.ts';

/** A breaker of the table: consecutive failures until it opens, and how long it then stays open. */
export interface BreakerSetting {
  readonly failureThreshold: number;
  /** In milliseconds. */
  readonly openDurationMs: number;
}

/** A limiter of the table: operations per window. */
export interface LimiterSetting {
  readonly limit: number;
  /** In milliseconds. */
  readonly windowMs: number;
  /** Depth of the bucket. */
  readonly burst: number;
  /**
   * The largest part of the limit, and of the burst, that calls with the same `key` may use; 1 is all of
   * it. Calls without a key are bounded by the limit alone.
   */
  readonly share: number;
}

/** How many calls a subsystem gets at the same time. The others wait for their turn, in fair order by `key`. */
export interface BulkheadSetting {
  /** Calls at the same time. A subsystem that works on one call at a time has 1. */
  readonly limit: number;
  /**
   * The largest part of the limit that calls with the same `key` may use, but at least one call; 1 is all
   * of it. Calls without a key are bounded by the limit alone.
   */
  readonly share: number;
  /** Calls that may wait: of each key, and together. One more is refused. */
  readonly maxQueue: number;
}

/** A plan of the table. */
export interface PlanSetting {
  /** How many attempts, the first included; 1 is no retry. */
  readonly maxAttempts: number;
  /** Wait before the second attempt, in milliseconds. */
  readonly retryDelayMs: number;
  /** Time for the whole operation, in milliseconds. */
  readonly timeoutMs: number;
  /** Time for one attempt, in milliseconds. */
  readonly attemptTimeoutMs: number;
}

/** Every value of the report's tables. */
export interface HardeningSettings {
  readonly breakers: Readonly<
    Record<'ast_codegen' | 'protocol_check' | 'registry_fetch' | 'lsp_operation', BreakerSetting>
  >;
  readonly limiters: Readonly<
    Record<'ast_analysis' | 'registry_query' | 'lsp_requests', LimiterSetting>
  >;
  readonly bulkheads: Readonly<Record<'ast' | 'protocols' | 'registry' | 'lsp', BulkheadSetting>>;
  readonly plans: Readonly<
    Record<
      'ast_codegen' | 'type_inference' | 'fetch_package' | 'check_protocol' | 'lsp_operation',
      PlanSetting
    >
  >;
  /**
   * Plans of methods of the language server, such as `textDocument/completion`. What one leaves out is that
   * of `plans.lsp_operation`.
   */
  readonly methods: Readonly<Record<string, PlanSetting>>;
  readonly cache: {
    /** Most packages kept for when the registry is away. */
    readonly maxPackages: number;
    /** Oldest package still given out then, in milliseconds. */
    readonly maxAgeMs: number;
  };
  readonly health: {
    /** How long a probe may take, in milliseconds. */
    readonly timeoutMs: number;
    /** How long a probe's answer is good for, in milliseconds. */
    readonly ttlMs: number;
  };
  readonly errors: {
    /** How many errors are remembered. */
    readonly capacity: number;
  };
}

type DeepPartial<T> = {
  readonly [K in keyof T]?: T[K] extends object ? DeepPartial<T[K]> : T[K];
};

/** Overrides of {@link HARDENING_DEFAULTS}: any part, down to one number. */
export type HardeningOverrides = DeepPartial<HardeningSettings>;

const MINUTE = 60_000;
const plan = (maxAttempts: number, attemptTimeoutMs = 5000): PlanSetting => ({
  maxAttempts,
  retryDelayMs: 100,
  timeoutMs: 5000,
  attemptTimeoutMs,
});

const limiter = (limit: number): LimiterSetting => ({
  limit,
  windowMs: MINUTE,
  burst: limit,
  share: 1,
});
const bulkhead = (limit: number): BulkheadSetting => ({ limit, share: 1, maxQueue: 1000 });

/**
 * The report's values. A limiter's bucket is as deep as its limit, as the original's was. The report has no
 * bulkheads: a compiler and a checker that run in the calling process work on one call at a time. It has no
 * breaker for the language server: without one, each request waits for a server that hangs.
 */
export const HARDENING_DEFAULTS: HardeningSettings = {
  breakers: {
    ast_codegen: { failureThreshold: 10, openDurationMs: MINUTE },
    protocol_check: { failureThreshold: 15, openDurationMs: MINUTE },
    registry_fetch: { failureThreshold: 5, openDurationMs: 2 * MINUTE },
    lsp_operation: { failureThreshold: 5, openDurationMs: 10_000 },
  },
  limiters: {
    ast_analysis: limiter(1000),
    registry_query: limiter(500),
    lsp_requests: limiter(2000),
  },
  bulkheads: {
    ast: bulkhead(1),
    protocols: bulkhead(1),
    registry: bulkhead(16),
    lsp: bulkhead(4),
  },
  plans: {
    ast_codegen: plan(1),
    type_inference: plan(1),
    fetch_package: plan(3, 2000),
    check_protocol: plan(1),
    lsp_operation: plan(1),
  },
  methods: {},
  cache: { maxPackages: 1000, maxAgeMs: 24 * 60 * MINUTE },
  health: { timeoutMs: 2000, ttlMs: 1000 },
  errors: { capacity: 1000 },
};

/** Options that cannot be written in a file. */
export interface HardeningRuntime {
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

const RANGES: Readonly<
  Record<string, { min: number; max?: number; integer?: boolean; aboveMin?: boolean }>
> = {
  failureThreshold: { min: 1, integer: true },
  openDurationMs: { min: 0, aboveMin: true },
  limit: { min: 1 },
  share: { min: 0, max: 1, aboveMin: true },
  maxQueue: { min: 0, integer: true },
  windowMs: { min: 0, aboveMin: true },
  burst: { min: 1 },
  maxAttempts: { min: 1, integer: true },
  retryDelayMs: { min: 0 },
  timeoutMs: { min: 0, aboveMin: true },
  attemptTimeoutMs: { min: 0, aboveMin: true },
  maxPackages: { min: 0, integer: true },
  maxAgeMs: { min: 0 },
  ttlMs: { min: 0 },
  capacity: { min: 0, max: 1_000_000, integer: true },
};

/**
 * Lays overrides over the defaults.
 *
 * @throws {TypeError | RangeError} naming the path, the range and the value of what does not fit
 */
export function resolveSettings(overrides: HardeningOverrides = {}): HardeningSettings {
  const owner = 'parserCraftHardening';
  checkObject(owner, overrides);
  const { methods = {}, ...others } = overrides;
  const settings = lay({ ...HARDENING_DEFAULTS }, others, owner) as HardeningSettings;
  return { ...settings, methods: layMethods(settings.plans.lsp_operation, methods, owner) };
}

function layMethods(
  usual: PlanSetting,
  methods: unknown,
  owner: string,
): HardeningSettings['methods'] {
  const path = `${owner}.methods`;
  return Object.fromEntries(
    entriesOf(path, methods as Readonly<Record<string, unknown>>).map(([method, plan]) => [
      method,
      lay(usual, plan, `${path}.${method}`) as PlanSetting,
    ]),
  );
}

function lay(defaults: object, overrides: unknown, path: string): object {
  checkObject(path, overrides);
  const known = defaults as Readonly<Record<string, unknown>>;
  const given = overrides as Readonly<Record<string, unknown>>;
  checkKnown(path, given, Object.keys(known));
  return Object.fromEntries(
    Object.entries(known).map(([key, value]) => {
      const own = given[key];
      if (own === undefined) return [key, value];
      if (typeof value === 'object' && value !== null) {
        return [key, lay(value, own, `${path}.${key}`)];
      }
      return [key, checkNumber(path, key, own, { ...RANGES[key], infinite: false })];
    }),
  );
}

function checkObject(path: string, settings: unknown): void {
  checkType(path, 'settings', settings, 'object');
  if (Array.isArray(settings)) {
    throw new TypeError(`${path}: settings must be an object, got ${show(settings)}.`);
  }
}
