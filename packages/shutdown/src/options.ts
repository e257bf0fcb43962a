import {
  type Clock,
  checkClock,
  checkKnown,
  checkName,
  checkNumber,
  checkOneOf,
  checkType,
  show,
  systemClock,
} from '@temper/core';
import { HANDLER_ORDERS, type HandlerOrder } from './phases.ts';
import type { ProcessExit } from './process-exit.ts';
import type { ShutdownReport } from './report.ts';

/** Anything whose readiness can be turned off, such as a monitor of `@temper/health`. */
interface ReadinessLike {
  setReady(ready: boolean, reason?: string): void;
}

/** Anything that exports telemetry: a `NodeSDK`, or single providers. */
export interface TelemetryLike {
  /** Exports what is buffered and closes the exporters. Preferred if both methods exist. */
  shutdown?(): Promise<unknown>;
  /** Exports what is buffered. */
  forceFlush?(): Promise<unknown>;
}

/** Anything with the shape of an audit log. `close` is called if it exists, `flush` otherwise. */
export interface ClosableAuditLog {
  close?(): unknown;
  flush?(): unknown;
}

/** A phase of the shutdown. */
export interface PhaseOptions {
  readonly name: string;
  /**
   * Order of its handlers: last registered first, first registered first, or all at the same time.
   *
   * @defaultValue 'lifo'
   */
  readonly order?: HandlerOrder;
  /**
   * Time limit of the phase, in milliseconds.
   *
   * @defaultValue the remaining time of the shutdown
   * @throws {RangeError} at construction, unless > 0
   */
  readonly timeoutMs?: number;
}

/** Options of {@link gracefulShutdown}. */
export interface GracefulShutdownOptions {
  /** Name in errors, spans and metrics. @defaultValue 'shutdown' */
  readonly name?: string;
  /**
   * Signals that begin the shutdown. Their listeners are added at construction. Without this option
   * no listener is added before {@link GracefulShutdown.listen} is called.
   *
   * @defaultValue none
   */
  readonly signals?: readonly NodeJS.Signals[];
  /**
   * How long the service keeps serving after readiness is turned off, in milliseconds, so that load
   * balancers have time to stop sending requests. Responses during the delay carry
   * `Connection: close`.
   *
   * @defaultValue 5000
   * @throws {RangeError} at construction, unless >= 0 and less than `timeoutMs - flushTimeoutMs`
   */
  readonly delayMs?: number;
  /**
   * Time limit of the whole shutdown, in milliseconds. Keep it below the grace period of the process
   * manager (30 s in Kubernetes, 90 s in systemd, 10 s in Docker).
   *
   * @defaultValue 25_000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly timeoutMs?: number;
  /**
   * Time limit of a handler that sets none itself, in milliseconds.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless > 0
   */
  readonly handlerTimeoutMs?: number;
  /**
   * Part of `timeoutMs` that is reserved for closing the audit log and exporting telemetry, in
   * milliseconds.
   *
   * @defaultValue 3000
   * @throws {RangeError} at construction, unless finite and >= 0
   */
  readonly flushTimeoutMs?: number;
  /**
   * The phases, in order. `intake` and `drain` are required: servers stop accepting connections in
   * `intake` and finish their requests in `drain`. A string is a phase with the default options.
   *
   * @defaultValue `intake` and `drain` with order `parallel`, `flush` and `close` with order `lifo`
   * @throws {TypeError} at construction, unless names are unique and `intake` comes before `drain`
   */
  readonly phases?: readonly (string | PhaseOptions)[];
  /**
   * Set to not ready before anything else happens. An error thrown by `setReady` is logged.
   *
   * @defaultValue none
   */
  readonly readiness?: ReadinessLike | readonly ReadinessLike[];
  /** Closed after the last phase and before telemetry is exported. @defaultValue none */
  readonly auditLog?: ClosableAuditLog | readonly ClosableAuditLog[];
  /**
   * Exported last, after the span of the shutdown has ended, so that this span is exported too.
   *
   * @defaultValue none
   */
  readonly telemetry?: TelemetryLike | readonly TelemetryLike[];
  /**
   * Whether an uncaught exception begins the shutdown instead of ending the process immediately. The
   * listener is added together with the signal listeners.
   *
   * @defaultValue false
   */
  readonly uncaughtExceptions?: boolean;
  /** Whether an unhandled rejection begins the shutdown in the same way. @defaultValue false */
  readonly unhandledRejections?: boolean;
  /**
   * A second signal within this time after the first, in milliseconds, counts as the same signal: a
   * terminal signals the whole process group, and `npm` forwards the signal again. A later one forces
   * the shutdown.
   *
   * @defaultValue 200
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly forceAfterMs?: number;
  /**
   * Whether a shutdown that begins with a signal or an uncaught error ends the process.
   *
   * @defaultValue true
   */
  readonly exit?: boolean;
  /**
   * How long the event loop may stay alive after the shutdown, in milliseconds. After that, what
   * keeps it alive is logged and the process is ended.
   *
   * @defaultValue 500
   * @throws {RangeError} at construction, unless finite and >= 0
   */
  readonly lingerMs?: number;
  /**
   * Chooses the exit code: an integer from 0 to 255. Called twice, for the log record and for the
   * final report. If it throws, or returns anything else, the error is logged and the default is used.
   *
   * @defaultValue the `exitCode` of the report: 0 if everything completed; 1 if a handler failed or an
   * uncaught error began the shutdown; 124 after a timeout; 128 + n when signal n forced it
   */
  readonly exitCode?: (report: ShutdownReport) => number;
  /**
   * Called with the final report. The process does not wait for a promise that it returns. An error is
   * logged.
   *
   * @defaultValue writes the report to standard error unless the outcome is `completed`
   */
  readonly onReport?: (report: ShutdownReport) => void;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

/** Default values. A test compares them with the README. */
export const SHUTDOWN_DEFAULTS: {
  readonly name: 'shutdown';
  readonly signals: readonly NodeJS.Signals[];
  readonly delayMs: 5000;
  readonly timeoutMs: 25_000;
  readonly handlerTimeoutMs: 10_000;
  readonly flushTimeoutMs: 3000;
  readonly phases: readonly Required<Omit<PhaseOptions, 'timeoutMs'>>[];
  readonly uncaughtExceptions: false;
  readonly unhandledRejections: false;
  readonly forceAfterMs: 200;
  readonly exit: true;
  readonly lingerMs: 500;
} = {
  name: 'shutdown',
  signals: [],
  delayMs: 5000,
  timeoutMs: 25_000,
  handlerTimeoutMs: 10_000,
  flushTimeoutMs: 3000,
  phases: [
    { name: 'intake', order: 'parallel' },
    { name: 'drain', order: 'parallel' },
    { name: 'flush', order: 'lifo' },
    { name: 'close', order: 'lifo' },
  ],
  uncaughtExceptions: false,
  unhandledRejections: false,
  forceAfterMs: 200,
  exit: true,
  lingerMs: 500,
};

type Hooks = Pick<GracefulShutdownOptions, 'exitCode' | 'onReport'>;

/** The options after validation: only the callbacks stay optional, and single values become lists. */
export interface ResolvedShutdownOptions
  extends Required<
      Omit<GracefulShutdownOptions, keyof Hooks | 'phases' | 'readiness' | 'auditLog' | 'telemetry'>
    >,
    Hooks {
  readonly phases: readonly Required<PhaseOptions>[];
  readonly readiness: readonly ReadinessLike[];
  readonly auditLog: readonly ClosableAuditLog[];
  readonly telemetry: readonly TelemetryLike[];
  readonly processExit: ProcessExit;
}

const FLAGS = ['uncaughtExceptions', 'unhandledRejections', 'exit'] as const;
const HOOKS = ['exitCode', 'onReport'] as const;
const OBJECTS = ['readiness', 'auditLog', 'telemetry'] as const;
const KNOWN = [...Object.keys(SHUTDOWN_DEFAULTS), ...HOOKS, ...OBJECTS, 'clock'];
const OWNER = 'gracefulShutdown';

/** Validates the options and fills in the defaults. */
export function resolveShutdownOptions(
  options: GracefulShutdownOptions,
  processExit: ProcessExit,
): ResolvedShutdownOptions {
  checkKnown(OWNER, options, KNOWN);
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as GracefulShutdownOptions;
  const all = { ...SHUTDOWN_DEFAULTS, clock: systemClock, ...given };
  checkName(OWNER, all.name);
  checkList('signals', all.signals);
  checkNumber(OWNER, 'timeoutMs', all.timeoutMs, { min: 0, aboveMin: true, infinite: false });
  checkNumber(OWNER, 'flushTimeoutMs', all.flushTimeoutMs, { min: 0, infinite: false });
  checkNumber(OWNER, 'delayMs', all.delayMs, { min: 0, infinite: false });
  if (all.delayMs + all.flushTimeoutMs >= all.timeoutMs) {
    throw new RangeError(
      `${OWNER}: timeoutMs must be greater than delayMs + flushTimeoutMs (${all.delayMs + all.flushTimeoutMs}), got ${all.timeoutMs}.`,
    );
  }
  checkNumber(OWNER, 'handlerTimeoutMs', all.handlerTimeoutMs, { min: 0, aboveMin: true });
  checkNumber(OWNER, 'forceAfterMs', all.forceAfterMs, { min: 0 });
  checkNumber(OWNER, 'lingerMs', all.lingerMs, { min: 0, infinite: false });
  for (const flag of FLAGS) checkType(OWNER, flag, all[flag], 'boolean');
  for (const hook of HOOKS) {
    if (all[hook] !== undefined) checkType(OWNER, hook, all[hook], 'function');
  }
  checkClock(OWNER, all.clock);
  return {
    ...all,
    processExit,
    phases: resolvePhases(all.phases),
    readiness: listOf('readiness', all.readiness, ['setReady']),
    auditLog: listOf('auditLog', all.auditLog, ['close', 'flush']),
    telemetry: listOf('telemetry', all.telemetry, ['shutdown', 'forceFlush']),
  };
}

function resolvePhases(phases: readonly (string | PhaseOptions)[]): Required<PhaseOptions>[] {
  checkList('phases', phases);
  const resolved = phases.map((phase) => {
    const given = typeof phase === 'string' ? { name: phase } : phase;
    checkKnown(`${OWNER}: phases`, given, ['name', 'order', 'timeoutMs']);
    const { name, order = 'lifo', timeoutMs = Number.POSITIVE_INFINITY } = given;
    checkName(`${OWNER}: phases`, name);
    checkOneOf(OWNER, `phases.${name}.order`, order, HANDLER_ORDERS);
    checkNumber(OWNER, `phases.${name}.timeoutMs`, timeoutMs, { min: 0, aboveMin: true });
    return { name, order, timeoutMs };
  });
  const names = resolved.map(({ name }) => name);
  const ordered = names.includes('intake') && names.indexOf('intake') < names.indexOf('drain');
  if (!ordered || new Set(names).size < names.length) {
    throw new TypeError(
      `${OWNER}: phases must have unique names and include 'intake' before 'drain', got ${names.map(show).join(', ')}.`,
    );
  }
  return resolved;
}

function checkList(option: string, value: unknown): void {
  if (!Array.isArray(value)) {
    throw new TypeError(`${OWNER}: ${option} must be an array, got ${show(value)}.`);
  }
}

/** Turns one object or several into a list. Each must have at least one of the methods. */
function listOf<T extends object>(
  option: string,
  given: T | readonly T[] | undefined,
  methods: readonly string[],
): readonly T[] {
  const list =
    given === undefined ? [] : Array.isArray(given) ? (given as readonly T[]) : [given as T];
  for (const item of list) {
    checkType(OWNER, option, item, 'object');
    if (
      !methods.some((method) => typeof (item as Record<string, unknown>)[method] === 'function')
    ) {
      throw new TypeError(
        `${OWNER}: ${option} must have ${methods.map((m) => `${m}()`).join(' or ')}.`,
      );
    }
  }
  return list;
}
