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
import { type Leaving, leavingProcess } from './leaving.ts';
import { HANDLER_ORDERS, type HandlerOrder } from './phases.ts';
import type { ShutdownReport } from './report.ts';

/** What has to be told that no more traffic should come, by its shape: a monitor of `@temper/health`. */
export interface ReadinessLike {
  setReady(ready: boolean, reason?: string): void;
}

/** What has to be flushed last, by its shape: a `NodeSDK`, or providers. */
export interface TelemetryLike {
  /** Exports what is left, and ends. Preferred. */
  shutdown?(): Promise<unknown>;
  /** Exports what is left. */
  forceFlush?(): Promise<unknown>;
}

/** An audit log, by its shape: it is closed, or else flushed. */
export interface ClosableAuditLog {
  close?(): unknown;
  flush?(): unknown;
}

/** A stage of the shutdown. */
export interface PhaseOptions {
  readonly name: string;
  /**
   * How its handlers run: the last registered first, the first first, or all at once.
   *
   * @defaultValue 'lifo'
   */
  readonly order?: HandlerOrder;
  /**
   * Longest time for the phase, in milliseconds.
   *
   * @defaultValue what is left of the whole
   * @throws {RangeError} at construction, unless > 0
   */
  readonly timeoutMs?: number;
}

/** Options of {@link gracefulShutdown}. */
export interface GracefulShutdownOptions {
  /** Names the shutdown in errors, spans and metrics. @defaultValue 'shutdown' */
  readonly name?: string;
  /**
   * Signals that begin the shutdown, heard from construction on. Leave it out, and nothing is heard
   * before {@link GracefulShutdown.listen}.
   *
   * @defaultValue none
   */
  readonly signals?: readonly NodeJS.Signals[];
  /**
   * Time in which the service goes on serving after it has said that it is not ready, in
   * milliseconds: balancers take that long to stop sending. Every answer in that time carries
   * `Connection: close`.
   *
   * @defaultValue 5000
   * @throws {RangeError} at construction, unless >= 0 and less than `timeoutMs - flushTimeoutMs`
   */
  readonly delayMs?: number;
  /**
   * Longest time for everything, in milliseconds. Stay below the grace period of whoever sends the
   * signal (30 s in Kubernetes, 90 s in systemd, 10 s in Docker).
   *
   * @defaultValue 25_000
   * @throws {RangeError} at construction, unless finite and > 0
   */
  readonly timeoutMs?: number;
  /**
   * Longest time for one handler, in milliseconds, where it names none.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless > 0
   */
  readonly handlerTimeoutMs?: number;
  /**
   * The end of `timeoutMs` that is kept for the audit log and the telemetry, in milliseconds.
   *
   * @defaultValue 3000
   * @throws {RangeError} at construction, unless finite and >= 0
   */
  readonly flushTimeoutMs?: number;
  /**
   * The stages, in order. `intake` and `drain` must be among them: servers stop in the first and
   * empty in the second.
   *
   * @defaultValue intake and drain in parallel, then flush and close, last registered first
   */
  readonly phases?: readonly (string | PhaseOptions)[];
  /** Told first of all that the service is not ready. @defaultValue none */
  readonly readiness?: ReadinessLike | readonly ReadinessLike[];
  /** Closed after the last phase, just before telemetry. @defaultValue none */
  readonly auditLog?: ClosableAuditLog | readonly ClosableAuditLog[];
  /** Flushed last, when the shutdown's own span has ended, so that it is exported too. @defaultValue none */
  readonly telemetry?: TelemetryLike | readonly TelemetryLike[];
  /**
   * Whether an uncaught exception begins the shutdown, in place of ending the process at once. Heard
   * together with the signals.
   *
   * @defaultValue false
   */
  readonly uncaughtExceptions?: boolean;
  /** The same for a promise that rejects and that nobody handles. @defaultValue false */
  readonly unhandledRejections?: boolean;
  /**
   * A second signal within this time of the first is taken for the same one, in milliseconds: a
   * terminal signals the whole process group, and `npm` passes it on once more. After that it forces.
   *
   * @defaultValue 200
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly forceAfterMs?: number;
  /**
   * Whether a shutdown that was begun by a signal or an uncaught error ends the process.
   *
   * @defaultValue true
   */
  readonly exit?: boolean;
  /**
   * How long the event loop may go on after the shutdown before the process is ended, in
   * milliseconds. What held it is named. A loop that nothing holds ends at once.
   *
   * @defaultValue 500
   * @throws {RangeError} at construction, unless finite and >= 0
   */
  readonly lingerMs?: number;
  /** The exit code. One that throws has said nothing. @defaultValue {@link exitCodeOf} */
  readonly exitCode?: (report: ShutdownReport) => number;
  /** Called with the report, before the process ends. What it throws is reported, no more. */
  readonly onReport?: (report: ShutdownReport) => void;
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
  /** @internal How the process is left. */
  readonly leaving?: Leaving;
}

/** The defaults, as the README's table shows them. */
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

/** The options when they have been checked: nothing optional but the hooks, and lists where one would do. */
export interface ResolvedShutdownOptions
  extends Required<
      Omit<GracefulShutdownOptions, keyof Hooks | 'phases' | 'readiness' | 'auditLog' | 'telemetry'>
    >,
    Hooks {
  readonly phases: readonly Required<PhaseOptions>[];
  readonly readiness: readonly ReadinessLike[];
  readonly auditLog: readonly ClosableAuditLog[];
  readonly telemetry: readonly TelemetryLike[];
}

const FLAGS = ['uncaughtExceptions', 'unhandledRejections', 'exit'] as const;
const HOOKS = ['exitCode', 'onReport'] as const;
const PARTNERS = ['readiness', 'auditLog', 'telemetry'] as const;
const KNOWN = [...Object.keys(SHUTDOWN_DEFAULTS), ...HOOKS, ...PARTNERS, 'clock'];
const OWNER = 'gracefulShutdown';

/** Holds the options to their ranges and fills in the defaults. */
export function resolveShutdownOptions(options: GracefulShutdownOptions): ResolvedShutdownOptions {
  const { leaving = leavingProcess, ...known } = options;
  checkKnown(OWNER, known, KNOWN);
  const given = Object.fromEntries(
    Object.entries(known).filter(([, value]) => value !== undefined),
  ) as Omit<GracefulShutdownOptions, 'leaving'>;
  const all = { ...SHUTDOWN_DEFAULTS, clock: systemClock, ...given };
  checkName(OWNER, all.name);
  checkList('signals', all.signals);
  checkNumber(OWNER, 'timeoutMs', all.timeoutMs, { min: 0, aboveMin: true, infinite: false });
  checkNumber(OWNER, 'flushTimeoutMs', all.flushTimeoutMs, { min: 0, infinite: false });
  checkNumber(OWNER, 'delayMs', all.delayMs, { min: 0, infinite: false });
  if (all.delayMs + all.flushTimeoutMs >= all.timeoutMs) {
    throw new RangeError(
      `${OWNER}: timeoutMs must be more than delayMs and flushTimeoutMs together (${all.delayMs + all.flushTimeoutMs}), got ${all.timeoutMs}.`,
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
    leaving,
    phases: resolvePhases(all.phases),
    readiness: partners('readiness', all.readiness, ['setReady']),
    auditLog: partners('auditLog', all.auditLog, ['close', 'flush']),
    telemetry: partners('telemetry', all.telemetry, ['shutdown', 'forceFlush']),
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
      `${OWNER}: phases must have different names, with 'intake' before 'drain' among them, got ${names.map(show).join(', ')}.`,
    );
  }
  return resolved;
}

function checkList(option: string, value: unknown): void {
  if (!Array.isArray(value)) {
    throw new TypeError(`${OWNER}: ${option} must be an array, got ${show(value)}.`);
  }
}

/** One or many, each of which must have at least one of the methods. */
function partners<T extends object>(
  option: string,
  given: T | readonly T[] | undefined,
  methods: readonly string[],
): readonly T[] {
  const list =
    given === undefined ? [] : Array.isArray(given) ? (given as readonly T[]) : [given as T];
  for (const partner of list) {
    checkType(OWNER, option, partner, 'object');
    if (
      !methods.some((method) => typeof (partner as Record<string, unknown>)[method] === 'function')
    ) {
      throw new TypeError(
        `${OWNER}: ${option} must have ${methods.map((m) => `${m}()`).join(' or ')}.`,
      );
    }
  }
  return list;
}
