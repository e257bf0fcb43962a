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
import type { StatusChange } from './monitor.ts';

/** Options of {@link healthMonitor}. */
export interface HealthMonitorOptions {
  /**
   * Names the monitor in errors, spans and metrics, and the service in `health+json`.
   *
   * @defaultValue 'health'
   */
  readonly name?: string;
  /** Checks to begin with; more can be registered later. @defaultValue none */
  readonly checks?: readonly HealthCheck[];
  /**
   * Longest time for one probe, in milliseconds, where the check names none.
   *
   * @defaultValue 5000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly timeoutMs?: number;
  /**
   * How long the result of a probe is given out again, in milliseconds, where the check names
   * nothing else. 0 probes for every request that does not find a probe under way.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly ttlMs?: number;
  /**
   * Time from one background probe of a check to the next, in milliseconds, where the check names
   * none. Nothing is probed in the background before {@link HealthMonitor.start}.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless > 0; `Infinity` is never
   */
  readonly refreshMs?: number;
  /**
   * How far a background probe may move to either side, as a share of its interval, so that many
   * processes do not ask the same database at the same moment.
   *
   * @defaultValue 0.1
   * @throws {RangeError} at construction, unless from 0 to 1
   */
  readonly refreshJitter?: number;
  /**
   * How many results of each check are remembered; the oldest goes first.
   *
   * @defaultValue 100
   * @throws {RangeError} at construction, unless an integer from 0 to 100 000
   */
  readonly historySize?: number;
  /**
   * Windows over which uptime is kept, in milliseconds: by default a minute, an hour, a day.
   *
   * @defaultValue [60_000, 3_600_000, 86_400_000]
   * @throws {RangeError} at construction, unless each is finite and >= 1000; at most eight
   */
  readonly uptimeWindowsMs?: readonly number[];
  /**
   * Whether the service counts as started from the beginning. With `false`, startup and readiness
   * fail until {@link HealthMonitor.setStarted}.
   *
   * @defaultValue true
   */
  readonly started?: boolean;
  /** Called when a check's status changes. What it throws is reported, no more. @defaultValue none */
  readonly onStatusChange?: (change: StatusChange) => void;
  /**
   * Which probes get spans.
   *
   * @defaultValue 'all'
   */
  readonly spans?: SpanMode;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
  /** @defaultValue `Math.random` */
  readonly random?: Random;
}

/** The defaults, as the README's table shows them. */
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

/** The options when they have been checked: nothing optional but the hook. */
export type ResolvedHealthOptions = Required<Omit<HealthMonitorOptions, 'onStatusChange'>> &
  Pick<HealthMonitorOptions, 'onStatusChange'>;

const KNOWN = [...Object.keys(HEALTH_DEFAULTS), 'checks', 'onStatusChange', 'clock', 'random'];

/** Holds the options to their ranges and fills in the defaults. */
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

/** `{ option: undefined }` means the same as leaving it out. */
export function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as T;
}
