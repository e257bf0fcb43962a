import {
  type Clock,
  checkClock,
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  type Random,
  SPAN_MODES,
  type SpanMode,
  show,
  systemClock,
  systemRandom,
} from '@temper/core';
import type { HealthCheck } from './check-options.ts';
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
   * Which probes have spans.
   *
   * @defaultValue 'all'
   */
  readonly spans?: SpanMode;
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
  readonly refreshJitter: 0.1;
  readonly historySize: 100;
  readonly uptimeWindowsMs: readonly [60_000, 3_600_000, 86_400_000];
  readonly started: true;
  readonly spans: 'all';
} = {
  name: 'health',
  timeoutMs: 5000,
  ttlMs: 1000,
  refreshMs: 10_000,
  refreshJitter: 0.1,
  historySize: 100,
  uptimeWindowsMs: [60_000, 3_600_000, 86_400_000],
  started: true,
  spans: 'all',
};

/** The options after validation. Only the callback stays optional. */
export type ResolvedHealthOptions = Required<Omit<HealthMonitorOptions, 'onStatusChange'>> &
  Pick<HealthMonitorOptions, 'onStatusChange'>;

const KNOWN = [...Object.keys(HEALTH_DEFAULTS), 'checks', 'onStatusChange', 'clock', 'random'];

/** Validates the options and fills in the defaults. */
export function resolveHealthOptions(options: HealthMonitorOptions): ResolvedHealthOptions {
  const owner = 'healthMonitor';
  checkKnown(owner, options, KNOWN);
  const all = {
    ...HEALTH_DEFAULTS,
    checks: [],
    clock: systemClock,
    random: systemRandom,
    ...withoutUndefined(options),
  };
  checkName(owner, all.name);
  checkNumber(owner, 'timeoutMs', all.timeoutMs, { min: 0, aboveMin: true, infinite: false });
  checkNumber(owner, 'ttlMs', all.ttlMs, { min: 0 });
  checkNumber(owner, 'refreshMs', all.refreshMs, { min: 0, aboveMin: true });
  checkNumber(owner, 'refreshJitter', all.refreshJitter, { min: 0, max: 1 });
  checkNumber(owner, 'historySize', all.historySize, { min: 0, max: 100_000, integer: true });
  checkWindows(owner, all.uptimeWindowsMs);
  checkType(owner, 'started', all.started, 'boolean');
  if (all.onStatusChange !== undefined) {
    checkType(owner, 'onStatusChange', all.onStatusChange, 'function');
  }
  checkClock(owner, all.clock);
  checkType(owner, 'random', all.random, 'function');
  checkOneOf(owner, 'spans', all.spans, SPAN_MODES);
  if (!Array.isArray(all.checks)) {
    throw new TypeError(`${owner}: checks must be an array, got ${show(all.checks)}.`);
  }
  return all;
}

function checkWindows(owner: string, windows: unknown): void {
  if (!Array.isArray(windows) || windows.length > 8) {
    throw new TypeError(
      `${owner}: uptimeWindowsMs must be an array of at most 8 numbers, got ${show(windows)}.`,
    );
  }
  for (const windowMs of windows) {
    checkNumber(owner, 'uptimeWindowsMs', windowMs, { min: 1000, infinite: false });
  }
}

/** Removes options that are `undefined`, which count as omitted. */
export function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as T;
}
