import { Worker } from 'node:worker_threads';
import { systemClock } from '@temper/core';
import {
  methodsRule,
  nameRule,
  notify,
  numberRule,
  type OptionRule,
  reportCallbackError,
  resolveOptions,
  safeLines,
  show,
  typeRule,
} from '@temper/core/policy';
import type { HealthMonitor } from '../monitor.ts';
import { reportStall } from '../telemetry.ts';
import { type WatchdogMessage, type WatchdogSettings, watchdogProgram } from './program.ts';

/** Options of {@link livenessWatchdog}. */
export interface LivenessWatchdogOptions {
  /**
   * Port on which the thread answers, apart from those of the service; 0 chooses a free one.
   *
   * @throws {RangeError} at construction, unless an integer from 0 to 65 535
   */
  readonly port: number;
  /** Address to listen on. @defaultValue all addresses */
  readonly host?: string;
  /** @defaultValue '/livez' */
  readonly path?: string;
  /** Name in logs and spans. @defaultValue 'watchdog' */
  readonly name?: string;
  /**
   * For how long the event loop must be stuck before liveness fails, in milliseconds. A stall that is over
   * never fails it.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless finite and >= 1000
   */
  readonly stallMs?: number;
  /**
   * From which duration a stall is reported, with the stack of what the event loop is stuck in, in
   * milliseconds.
   *
   * @defaultValue 1000
   * @throws {RangeError} at construction, unless finite and >= 200
   */
  readonly sampleMs?: number;
  /**
   * A monitor whose group `liveness` counts as well, asked once a second while the event loop runs.
   *
   * @defaultValue none
   */
  readonly monitor?: Pick<HealthMonitor, 'liveness'>;
  /** Called when a stall is over. An error is logged. @defaultValue none */
  readonly onStall?: (stall: Stall) => void;
}

/** A stall of the event loop that is over. */
export interface Stall {
  /** How long the event loop was stuck, in milliseconds, to a tenth of a second. */
  readonly durationMs: number;
  /** When it was over, in milliseconds since the Unix epoch. */
  readonly endedAt: number;
  /** Whether liveness failed meanwhile. */
  readonly failed: boolean;
  /**
   * What the event loop was stuck in, as a stack trace. Undefined if it was in native code all the time,
   * or this build of Node has no inspector.
   */
  readonly stack: string | undefined;
}

/** What a {@link LivenessWatchdog} has seen. */
export interface WatchdogStats {
  /** Number of stalls of at least `sampleMs`. */
  readonly stalls: number;
  /** The longest one, in milliseconds. */
  readonly longestMs: number;
  readonly last: Stall | undefined;
}

/** Answers liveness from a thread of its own. Created by {@link livenessWatchdog}. */
export interface LivenessWatchdog extends AsyncDisposable {
  readonly name: string;
  /** The port on which it listens. */
  readonly port: number;
  stats(): WatchdogStats;
}

const OWNER = 'livenessWatchdog';
/** How often the main thread shows that it runs, and the other one looks, in milliseconds. */
const BEAT_MS = 100;
/** After how many beats the monitor is asked. */
const BEATS_PER_CHECK = 10;

const RULES: { readonly [K in keyof LivenessWatchdogOptions]-?: OptionRule } = {
  port: numberRule({ min: 0, max: 65_535, integer: true }),
  host: typeRule('string'),
  path: (owner, option, value) => {
    if (typeof value === 'string' && value.startsWith('/') && !/[?#]/.test(value)) return;
    throw new TypeError(
      `${owner}: ${option} must be a path that starts with '/', got ${show(value)}.`,
    );
  },
  name: nameRule,
  stallMs: numberRule({ min: 1000, infinite: false }),
  sampleMs: numberRule({ min: 200, infinite: false }),
  monitor: methodsRule('liveness'),
  onStall: typeRule('function'),
};

type Unset = 'port' | 'host' | 'monitor' | 'onStall';

/**
 * Starts a thread that answers liveness on its own port, also while the event loop is stuck: with 200 as
 * long as a stall may still end by itself, with 503 once it has lasted for `stallMs`. It interrupts the
 * main thread to find out what it is stuck in, and says so in a log record, in a span, and on standard
 * error before the process is killed.
 *
 * A stopped process (SIGSTOP, a suspended machine) is not a stall. Neither the thread nor its port keeps
 * the process alive. In a cluster each worker needs its own port.
 *
 * @throws {TypeError | RangeError} (as a rejection) when an option is missing, unknown or out of range
 * @throws {Error} (as a rejection) when the port cannot be opened; `code` is that of the system
 */
export async function livenessWatchdog(
  options: LivenessWatchdogOptions,
): Promise<LivenessWatchdog> {
  const resolved = resolveOptions<LivenessWatchdogOptions, Unset>(
    OWNER,
    options,
    { path: '/livez', name: 'watchdog', stallMs: 10_000, sampleMs: 1000 },
    RULES,
  );
  const { port, host, path, name, stallMs, sampleMs, monitor, onStall } = resolved;
  RULES.port(OWNER, 'port', port);
  const shared = new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);
  const settings: WatchdogSettings = {
    port: port as number,
    host,
    path,
    stallMs,
    sampleMs: Math.min(sampleMs, stallMs),
    pollMs: BEAT_MS,
    owner: `Health watchdog '${name}'`,
    shared,
  };
  const worker = new Worker(`(${watchdogProgram})()`, {
    eval: true,
    workerData: settings,
    execArgv: [],
    name: 'temper-watchdog',
  });
  const heart = new Heart(new Int32Array(shared), monitor);
  try {
    const watchdog = new Watchdog(name, await listening(worker), worker, heart, onStall);
    worker.unref();
    return watchdog;
  } catch (error) {
    heart.stop();
    await worker.terminate();
    throw error;
  }
}

/** The port, once the thread listens. */
function listening(worker: Worker): Promise<number> {
  return new Promise((resolve, reject) => {
    worker.on('error', reject);
    worker.on('exit', () => reject(new Error(`${OWNER}: the thread ended at its start.`)));
    worker.once('message', (message: WatchdogMessage) => {
      if (message.kind === 'listening') resolve(message.port);
      else if (message.kind === 'error') {
        const { code } = message;
        reject(Object.assign(new Error(`${OWNER}: ${message.message}`), { code }));
      }
    });
  });
}

/** Of the time that the event loop runs in, whichever time a test has put in place since. */
const { setInterval: every, clearInterval: stop } = globalThis;

/** Shows the other thread that the event loop runs. */
class Heart {
  readonly #shared: Int32Array;
  readonly #monitor: LivenessWatchdogOptions['monitor'];
  readonly #timer: NodeJS.Timeout;
  #beats = 0;

  constructor(shared: Int32Array, monitor: LivenessWatchdogOptions['monitor']) {
    this.#shared = shared;
    this.#monitor = monitor;
    this.#timer = every(() => this.#beat(), BEAT_MS);
    this.#timer.unref();
  }

  #beat(): void {
    Atomics.add(this.#shared, 0, 1);
    if (this.#monitor !== undefined && this.#beats++ % BEATS_PER_CHECK === 0) void this.#ask();
  }

  async #ask(): Promise<void> {
    try {
      const report = await this.#monitor?.liveness();
      Atomics.store(this.#shared, 1, report?.status === 'unhealthy' ? 1 : 0);
    } catch (error) {
      reportCallbackError(OWNER, 'monitor.liveness', error);
    }
  }

  stop(): void {
    stop(this.#timer);
  }
}

class Watchdog implements LivenessWatchdog {
  readonly name: string;
  readonly port: number;
  readonly #worker: Worker;
  readonly #heart: Heart;
  readonly #onStall: LivenessWatchdogOptions['onStall'];
  #stalls = 0;
  #longestMs = 0;
  #last: Stall | undefined;

  constructor(
    name: string,
    port: number,
    worker: Worker,
    heart: Heart,
    onStall: LivenessWatchdogOptions['onStall'],
  ) {
    this.name = name;
    this.port = port;
    this.#worker = worker;
    this.#heart = heart;
    this.#onStall = onStall;
    worker.on('message', (message: WatchdogMessage) => {
      if (message.kind === 'stall') this.#stalled(message);
      if (message.kind === 'error') reportCallbackError(name, 'server', message.message);
    });
  }

  #stalled({ durationMs, failed, stack }: WatchdogMessage & { kind: 'stall' }): void {
    const safeStack = stack === undefined ? undefined : safeLines(stack);
    const stall: Stall = { durationMs, endedAt: systemClock.now(), failed, stack: safeStack };
    this.#stalls++;
    this.#longestMs = Math.max(this.#longestMs, durationMs);
    this.#last = stall;
    reportStall(this.name, stall);
    notify(this.name, 'onStall', this.#onStall, stall);
  }

  stats(): WatchdogStats {
    return { stalls: this.#stalls, longestMs: this.#longestMs, last: this.#last };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#heart.stop();
    await this.#worker.terminate();
  }
}
