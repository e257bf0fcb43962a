import { type Clock, type Random, systemClock, type TelemetryScope } from '@temper/core';
import {
  checkNumber,
  clockRule,
  DEFAULT_SPANS,
  nameRule,
  numberRule,
  type OptionRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  SPAN_MODES,
  type SpanMode,
  show,
  systemRandom,
  telemetryRule,
  typeRule,
} from '@temper/core/policy';
import { type HealthCheck, TIME_RULES } from './check-options.ts';
import type { StatusChange } from './report.ts';

/** Options of {@link healthMonitor}. */
export interface HealthMonitorOptions {
  /**
   * Name in errors, spans and metrics, and `serviceId` in `health+json`.
   *
   * @defaultValue 'health'
   */
  readonly name?: string;
  /** Initial checks. More can be registered later. @defaultValue none */
  readonly checks?: readonly HealthCheck[];
  /**
   * Time limit of a probe whose check sets none, in milliseconds.
   *
   * @defaultValue 5000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly timeoutMs?: number;
  /**
   * How long the result of a check that sets no `ttlMs` is cached, in milliseconds. With 0 every request
   * starts a probe, unless one is in progress.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly ttlMs?: number;
  /**
   * Interval of background probes of a check that sets none, in milliseconds; `Infinity` disables them.
   * Background probes begin with {@link HealthMonitor.start}.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless > 0
   */
  readonly refreshMs?: number;
  /**
   * How long the probes liveness, readiness and startup wait for checks before they answer from the last
   * results, in milliseconds; `Infinity` waits for all. A kubelet waits for one second by default.
   *
   * @defaultValue 500
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly budgetMs?: number;
  /**
   * Random deviation of the interval in either direction, as a share of it, so that many processes do
   * not probe the same dependency at the same time.
   *
   * @defaultValue 0.1
   * @throws {RangeError} at construction, unless from 0 to 1
   */
  readonly refreshJitter?: number;
  /**
   * Number of results stored per check.
   *
   * @defaultValue 100
   * @throws {RangeError} at construction, unless an integer from 0 to 100 000
   */
  readonly historySize?: number;
  /**
   * Windows of the uptime, in milliseconds; at most eight. The defaults are a minute, an hour and a day.
   *
   * @defaultValue [60_000, 3_600_000, 86_400_000]
   * @throws {TypeError} at construction, unless an array of at most eight
   * @throws {RangeError} at construction, unless each is finite and >= 1000
   */
  readonly uptimeWindowsMs?: readonly number[];
  /**
   * Whether the service counts as started initially. With `false` the startup and readiness probes fail
   * until {@link HealthMonitor.setStarted} is called.
   *
   * @defaultValue true
   */
  readonly started?: boolean;
  /** Called when the status of a check changes. An error is logged. @defaultValue none */
  readonly onStatusChange?: (change: StatusChange) => void;
  /**
   * Which probes have spans: all, those that returned unhealthy, threw or timed out, or none.
   *
   * @defaultValue 'failures'
   */
  readonly spans?: SpanMode;
  /**
   * Where the telemetry of the monitor goes, and which attributes its metrics have besides; see
   * `telemetryScope` of `@temper/core`.
   *
   * @defaultValue the registered providers
   */
  readonly telemetry?: TelemetryScope;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
  /** @defaultValue `Math.random` */
  readonly random?: Random;
}

/** Default values. A test compares them with the README. */
export const HEALTH_DEFAULTS: {
  readonly name: 'health';
  readonly timeoutMs: 5000;
  readonly ttlMs: 1000;
  readonly refreshMs: 10_000;
  readonly budgetMs: 500;
  readonly refreshJitter: 0.1;
  readonly historySize: 100;
  readonly uptimeWindowsMs: readonly [60_000, 3_600_000, 86_400_000];
  readonly started: true;
  readonly spans: typeof DEFAULT_SPANS;
} = {
  name: 'health',
  timeoutMs: 5000,
  ttlMs: 1000,
  refreshMs: 10_000,
  budgetMs: 500,
  refreshJitter: 0.1,
  historySize: 100,
  uptimeWindowsMs: [60_000, 3_600_000, 86_400_000],
  started: true,
  spans: DEFAULT_SPANS,
};

/** The options after validation. Only the callback and the telemetry stay optional. */
export type ResolvedHealthOptions = Resolved<HealthMonitorOptions, 'onStatusChange' | 'telemetry'>;

/** How long a probe waits for checks: milliseconds, `Infinity` included. */
export const BUDGET_RULE: OptionRule = numberRule({ min: 0 });

const RULES: { readonly [K in keyof HealthMonitorOptions]-?: OptionRule } = {
  name: nameRule,
  ...TIME_RULES,
  budgetMs: BUDGET_RULE,
  refreshJitter: numberRule({ min: 0, max: 1 }),
  historySize: numberRule({ min: 0, max: 100_000, integer: true }),
  uptimeWindowsMs: checkWindows,
  started: typeRule('boolean'),
  checks: (owner, option, value) => {
    if (Array.isArray(value)) return;
    throw new TypeError(`${owner}: ${option} must be an array, got ${show(value)}.`);
  },
  onStatusChange: typeRule('function'),
  spans: oneOfRule(SPAN_MODES),
  telemetry: telemetryRule,
  clock: clockRule,
  random: typeRule('function'),
};

/** Validates the options and fills in the defaults. */
export function resolveHealthOptions(options: HealthMonitorOptions): ResolvedHealthOptions {
  return resolveOptions<HealthMonitorOptions, 'onStatusChange' | 'telemetry'>(
    'healthMonitor',
    options,
    { ...HEALTH_DEFAULTS, checks: [], clock: systemClock, random: systemRandom },
    RULES,
  );
}

function checkWindows(owner: string, option: string, windows: unknown): void {
  if (!Array.isArray(windows) || windows.length > 8) {
    throw new TypeError(
      `${owner}: ${option} must be an array of at most 8 numbers, got ${show(windows)}.`,
    );
  }
  for (const windowMs of windows) {
    checkNumber(owner, option, windowMs, { min: 1000, infinite: false });
  }
}
