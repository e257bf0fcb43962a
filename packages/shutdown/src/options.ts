import { constants } from 'node:os';
import { type Clock, systemClock } from '@temper/core';
import {
  checkName,
  checkOneOf,
  checkType,
  clockRule,
  nameRule,
  numberRule,
  type OptionRule,
  oneOfRule,
  type Resolved,
  resolveOptions,
  show,
  typeRule,
} from '@temper/core/policy';
import { fitTimes, isDevelopment } from './default-times.ts';
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
   * `Connection: close`. There is no delay while none of the registered servers listens, such as after
   * a failed start.
   *
   * @defaultValue 5000, or less if a short `timeoutMs` is given: defaults of `delayMs` and
   * `flushTimeoutMs` together take at most half of the time that the given ones leave. 0 if `NODE_ENV`
   * is `development` or `node --watch` runs the process
   * @throws {RangeError} at construction, unless >= 0 and less than `timeoutMs - flushTimeoutMs`
   */
  readonly delayMs?: number;
  /**
   * Time limit of the whole shutdown, in milliseconds. Keep it below the grace period of the process
   * manager (30 s in Kubernetes, 90 s in systemd, 10 s in Docker).
   *
   * @defaultValue 25_000, or `delayMs + flushTimeoutMs + 10_000` if these leave none of it
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
   * Time limit of closing the audit log and exporting telemetry together, in milliseconds. The audit
   * log gets at most half of it. This part of `timeoutMs` is reserved: the phases cannot use it.
   *
   * @defaultValue 3000, or less if a short `timeoutMs` is given, as for `delayMs`
   * @throws {RangeError} at construction, unless finite and > 0
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
   * listener is there from the beginning, with or without `signals`.
   *
   * @defaultValue false
   */
  readonly uncaughtExceptions?: boolean;
  /** Whether an unhandled rejection begins the shutdown in the same way. @defaultValue false */
  readonly unhandledRejections?: boolean;
  /**
   * Whether the shutdown begins when the event loop is empty, without the delay, so that the handlers of
   * a process that ends by itself run too. A handler that can never settle, because nothing is pending,
   * is given up immediately. The listener is added together with the signal listeners.
   *
   * @defaultValue true
   */
  readonly beforeExit?: boolean;
  /**
   * Messages from the parent process that begin the shutdown, such as `'shutdown'`, which PM2 sends with
   * `shutdown_with_message`. PM2 7 sends SIGINT nevertheless when it reloads a cluster, so listen to that
   * as well. The listener is there from the beginning, with or without `signals`; Node delivers messages
   * as soon as there is one.
   *
   * @defaultValue none
   */
  readonly messages?: readonly string[];
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
   * Whether a shutdown that begins with a signal, a message or an uncaught error ends the process. If `false`, the
   * listeners for signals and errors are removed when the shutdown is over: a later signal has Node's
   * default effect.
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
  /**
   * Whether to remember where timers, sockets, servers, child processes, worker threads and handlers are
   * created, so that report and log name the lines of code that keep the event loop alive. Costs a stack
   * trace for each of them, so it is meant for finding a fault. What was created before is not known.
   *
   * @defaultValue false
   */
  readonly creationStacks?: boolean;
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
  readonly beforeExit: true;
  readonly messages: readonly string[];
  readonly forceAfterMs: 200;
  readonly exit: true;
  readonly lingerMs: 500;
  readonly creationStacks: false;
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
  beforeExit: true,
  messages: [],
  forceAfterMs: 200,
  exit: true,
  lingerMs: 500,
  creationStacks: false,
};

type Lists = 'phases' | 'readiness' | 'auditLog' | 'telemetry';
type Unset = 'exitCode' | 'onReport' | Exclude<Lists, 'phases'>;

/** The options after validation: only the callbacks stay optional, and single values become lists. */
export interface ResolvedShutdownOptions
  extends Omit<Resolved<GracefulShutdownOptions, Unset>, Lists> {
  readonly phases: readonly Required<PhaseOptions>[];
  readonly readiness: readonly ReadinessLike[];
  readonly auditLog: readonly ClosableAuditLog[];
  readonly telemetry: readonly TelemetryLike[];
  readonly processExit: ProcessExit;
}

const OWNER = 'gracefulShutdown';

/** A time that must end: > 0 and finite. */
const limitRule = numberRule({ min: 0, aboveMin: true, infinite: false });
/** A wait that must end. */
const waitRule = numberRule({ min: 0, infinite: false });
/** A time limit that may be absent. */
export const timeoutRule: OptionRule = numberRule({ min: 0, aboveMin: true });

/** A misspelt signal would never arrive, and nothing can listen to the last two. */
const SIGNALS = Object.keys(constants.signals).filter(
  (signal) => signal !== 'SIGKILL' && signal !== 'SIGSTOP',
);

/** A list of signals that this platform knows. */
export const signalsRule: OptionRule = (owner, option, value) => {
  checkArray(owner, option, value);
  for (const signal of value) checkOneOf(owner, option, signal, SIGNALS);
};

const RULES: { readonly [K in keyof GracefulShutdownOptions]-?: OptionRule } = {
  name: nameRule,
  signals: signalsRule,
  delayMs: waitRule,
  timeoutMs: limitRule,
  handlerTimeoutMs: timeoutRule,
  flushTimeoutMs: limitRule,
  phases: checkArray,
  readiness: anyMethodRule('setReady'),
  auditLog: anyMethodRule('close', 'flush'),
  telemetry: anyMethodRule('shutdown', 'forceFlush'),
  uncaughtExceptions: typeRule('boolean'),
  unhandledRejections: typeRule('boolean'),
  beforeExit: typeRule('boolean'),
  messages: (owner, option, value) => {
    checkArray(owner, option, value);
    for (const message of value) checkType(owner, option, message, 'string');
  },
  forceAfterMs: numberRule({ min: 0 }),
  exit: typeRule('boolean'),
  lingerMs: waitRule,
  exitCode: typeRule('function'),
  onReport: typeRule('function'),
  creationStacks: typeRule('boolean'),
  clock: clockRule,
};

/** Validates the options and fills in the defaults. */
export function resolveShutdownOptions(
  options: GracefulShutdownOptions,
  processExit: ProcessExit,
): ResolvedShutdownOptions {
  const checked = resolveOptions<GracefulShutdownOptions, Unset>(
    OWNER,
    options,
    { ...SHUTDOWN_DEFAULTS, clock: systemClock },
    RULES,
  );
  const defaults = isDevelopment(process.env)
    ? { ...SHUTDOWN_DEFAULTS, delayMs: 0 }
    : SHUTDOWN_DEFAULTS;
  const all = { ...checked, ...fitTimes(options, defaults) };
  if (all.delayMs + all.flushTimeoutMs >= all.timeoutMs) {
    throw new RangeError(
      `${OWNER}: timeoutMs must be greater than delayMs + flushTimeoutMs (${all.delayMs + all.flushTimeoutMs}), got ${all.timeoutMs}.`,
    );
  }
  return {
    ...all,
    processExit,
    phases: resolvePhases(all.phases),
    readiness: listOf(all.readiness),
    auditLog: listOf(all.auditLog),
    telemetry: listOf(all.telemetry),
  };
}

function resolvePhases(phases: readonly (string | PhaseOptions)[]): Required<PhaseOptions>[] {
  const resolved = phases.map((phase) => {
    const given = typeof phase === 'string' ? { name: phase } : phase;
    const { name, ...rest } = resolveOptions<PhaseOptions, 'name'>(
      `${OWNER}: phases`,
      given,
      { order: 'lifo', timeoutMs: Number.POSITIVE_INFINITY },
      {
        name: nameRule,
        order: phaseRule(given, orderRule),
        timeoutMs: phaseRule(given, timeoutRule),
      },
    );
    return { name: checkName(`${OWNER}: phases`, name), ...rest };
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

const orderRule = oneOfRule(HANDLER_ORDERS);

/** Names the phase in messages. */
function phaseRule(phase: PhaseOptions, rule: OptionRule): OptionRule {
  return (_owner, option, value) => rule(OWNER, `phases.${phase.name}.${option}`, value);
}

function checkArray(
  owner: string,
  option: string,
  value: unknown,
): asserts value is readonly unknown[] {
  if (!Array.isArray(value)) {
    throw new TypeError(`${owner}: ${option} must be an array, got ${show(value)}.`);
  }
}

/** One object or several, each with at least one of the methods. */
function anyMethodRule(...methods: readonly string[]): OptionRule {
  return (owner, option, value) => {
    for (const item of Array.isArray(value) ? value : [value]) {
      checkType(owner, option, item, 'object');
      if (methods.some((method) => typeof item[method] === 'function')) continue;
      const needed = methods.map((method) => `${method}()`).join(' or ');
      throw new TypeError(`${owner}: ${option} must have ${needed}.`);
    }
  };
}

function listOf<T extends object>(given: T | readonly T[] | undefined): readonly T[] {
  if (given === undefined) return [];
  return Array.isArray(given) ? (given as readonly T[]) : [given as T];
}
