import {
  checkName,
  checkNumber,
  checkType,
  notify,
  type OptionRule,
  resolveOptions,
  safeText,
  show,
  typeRule,
} from '@temper/core/policy';
import {
  type CheckGroup,
  type HealthCheck,
  LIVENESS,
  READINESS,
  resolveCheck,
  STARTUP,
} from './check-options.ts';
import { DuplicateCheckError } from './errors.ts';
import {
  BUDGET_RULE,
  type HealthMonitorOptions,
  type ResolvedHealthOptions,
  resolveHealthOptions,
} from './options.ts';
import { Probe } from './probe.ts';
import { Refresher } from './refresh.ts';
import {
  type CheckReport,
  type HealthReport,
  type HealthSummary,
  type HistoryEntry,
  reportOf,
  type StatusChange,
  summaryOf,
} from './report.ts';
import type { HealthStatus } from './status.ts';
import { type CheckMeter, logStatusChange, observeMonitor, releaseProbe } from './telemetry.ts';
import type { Uptime } from './uptime.ts';

/** Options of {@link HealthMonitor.liveness}, {@link HealthMonitor.readiness} and {@link HealthMonitor.startup}. */
interface ProbeOptions {
  /** Names of checks that are listed but do not affect the status. @defaultValue none */
  readonly exclude?: readonly string[];
  /** Whether to probe even if a cached result is available. @defaultValue false */
  readonly fresh?: boolean;
  /**
   * How long to wait for checks before answering from what is known, in milliseconds; `Infinity` waits
   * for all of them. The last result stands in for a check that takes longer, as long as it is not older
   * than a probe in the background could be. If there is none, the check counts with its
   * `failureStatus`, so that it makes the report unhealthy only if it is critical.
   *
   * @defaultValue the monitor's `budgetMs`; `Infinity` for {@link HealthMonitor.check} and with `fresh`
   */
  readonly budgetMs?: number;
}

/** Options of {@link HealthMonitor.check}. */
interface CheckOptions extends ProbeOptions {
  /** Runs only the checks of this group. @defaultValue all checks */
  readonly group?: CheckGroup;
}

/** Snapshot of a {@link HealthMonitor}. */
export interface HealthStats {
  readonly ready: boolean;
  readonly started: boolean;
  /** Latest reports of the checks that have been probed. */
  readonly checks: readonly CheckReport[];
  /** Finished probes of each check by resulting status, as the metric `temper.health.checks` counts them. */
  readonly probes: Readonly<Record<string, Readonly<Record<HealthStatus, number>>>>;
  /** Names of the checks that have not been probed. */
  readonly unknown: readonly string[];
}

/** Runs health checks and reports the state of the service. Created by {@link healthMonitor}. */
export interface HealthMonitor extends Disposable {
  readonly name: string;
  /** The value set by {@link setReady}; `true` initially. */
  readonly ready: boolean;
  /** Whether the service has started; see {@link HealthMonitorOptions.started}. */
  readonly started: boolean;
  /**
   * Adds a check. Disposing of the result removes it.
   *
   * @throws {DuplicateCheckError} when the monitor has a check of that name
   * @throws {TypeError | RangeError} when an option is unknown or out of range
   */
  register(check: HealthCheck): Disposable;
  /**
   * Removes a check and its history.
   *
   * @returns whether the check existed
   * @throws {TypeError} when `name` is no string
   */
  unregister(name: string): boolean;
  /**
   * Runs the checks in parallel. Never rejects because of a check.
   *
   * @throws {TypeError} (as a rejection) when an option is unknown or invalid, here and in the probes
   * @throws {RangeError} (as a rejection) when no check is in the group: a misspelt group would
   * otherwise be healthy
   */
  check(options?: CheckOptions): Promise<HealthReport>;
  /** Status of all checks. Shares its run with {@link getHealthSummary}, so that both agree. */
  getOverallHealth(): Promise<HealthStatus>;
  /** Status of all checks, with the report and uptime of each. */
  getHealthSummary(): Promise<HealthSummary>;
  /** Whether the process works: runs the group `liveness`, which contains no dependencies. */
  liveness(options?: ProbeOptions): Promise<HealthReport>;
  /** Whether the service accepts traffic: unhealthy unless ready and started; else the group `readiness`. */
  readiness(options?: ProbeOptions): Promise<HealthReport>;
  /** Whether the service has started. Runs the group `startup` until it has passed once. */
  startup(options?: ProbeOptions): Promise<HealthReport>;
  /**
   * The latest probes of a check, oldest first.
   *
   * @param limit - maximum number of entries; default: all that are stored
   * @throws {RangeError} when no check has that name, or `limit` is no integer >= 0
   */
  history(name: string, limit?: number): readonly HistoryEntry[];
  /** Uptime of a check per window. @throws {RangeError} when no check has that name */
  uptime(name: string): readonly Uptime[];
  /** Snapshot without running a check. */
  stats(): HealthStats;
  /**
   * Sets whether the service accepts traffic. Takes effect immediately, regardless of cached results. A
   * shutdown sets `false` first.
   *
   * @param reason - shown by the readiness probe, on one line of at most 512 characters
   * @throws {TypeError} when `ready` is no boolean, or `reason` no string
   */
  setReady(ready: boolean, reason?: string): void;
  /** Marks the service as started; see {@link HealthMonitorOptions.started}. */
  setStarted(): void;
  /**
   * Starts background probes, which do not keep the process alive. They stop when the results of all
   * calls of this method have been disposed of.
   */
  start(): Disposable;
  /** Stops background probes, whoever started them. */
  stop(): void;
}

const PROBE_RULES: { readonly [K in keyof ProbeOptions]-?: OptionRule } = {
  exclude: (owner, option, value) => {
    if (Array.isArray(value) && value.every((name) => typeof name === 'string')) return;
    throw new TypeError(`${owner}: ${option} must be an array of names, got ${show(value)}.`);
  },
  fresh: typeRule('boolean'),
  budgetMs: BUDGET_RULE,
};
const RUN_RULES = { group: typeRule('string'), ...PROBE_RULES };
const RUN_DEFAULTS = { exclude: [], fresh: false } as const;

/** How a run of the checks goes. */
interface Run extends Required<Omit<ProbeOptions, 'budgetMs'>> {
  readonly budgetMs: number;
}

/** The groups that exist without a check. */
const BUILT_IN_GROUPS: readonly CheckGroup[] = [LIVENESS, READINESS, STARTUP];

const NOT_READY = 'service is not ready';
const NOT_STARTED = 'service has not started';

class Monitor implements HealthMonitor {
  readonly name: string;
  readonly #options: ResolvedHealthOptions;
  readonly #probes = new Map<string, Probe>();
  readonly #refresher: Refresher;
  readonly #telemetry: Disposable;
  /** One for each call of {@link start} whose result has not been disposed of. */
  readonly #starts = new Set<object>();
  #run: Promise<HealthReport> | undefined;
  #ready = true;
  #notReadyReason = NOT_READY;
  #started: boolean;
  #startupPassed = false;

  constructor(options: ResolvedHealthOptions) {
    this.name = options.name;
    this.#options = options;
    this.#started = options.started;
    this.#refresher = new Refresher(options.clock, options.random, options.refreshJitter);
    for (const check of options.checks) this.register(check);
    this.#telemetry = observeMonitor(this, options.telemetry);
  }

  get ready(): boolean {
    return this.#ready;
  }

  get started(): boolean {
    return this.#started;
  }

  register(check: HealthCheck): Disposable {
    const resolved = resolveCheck(check, this.#options);
    const { name } = resolved;
    if (this.#probes.has(name)) throw new DuplicateCheckError(this.name, name);
    const probe = new Probe(resolved, {
      ...this.#options,
      monitor: this.name,
      onChange: (from, report) => this.#changed(from, report),
    });
    this.#probes.set(name, probe);
    if (this.#starts.size > 0) this.#refresher.add(probe);
    return {
      [Symbol.dispose]: () => {
        if (this.#probes.get(name) === probe) this.unregister(name);
      },
    };
  }

  unregister(name: string): boolean {
    checkType(this.#owner, 'name', name, 'string');
    const probe = this.#probes.get(name);
    if (probe === undefined) return false;
    this.#refresher.remove(probe);
    this.#probes.delete(name);
    releaseProbe(probe, this.#options.telemetry);
    notify(this.name, 'dispose', probe.check.dispose);
    return true;
  }

  async check(options: CheckOptions = {}): Promise<HealthReport> {
    const { group, ...run } = resolveOptions<CheckOptions, 'group'>(
      this.#owner,
      options,
      { ...RUN_DEFAULTS, budgetMs: Number.POSITIVE_INFINITY },
      RUN_RULES,
    );
    if (group !== undefined) this.#checkGroup(group);
    return this.#runChecks(group, run);
  }

  async getOverallHealth(): Promise<HealthStatus> {
    return (await this.#wholeRun()).status;
  }

  async getHealthSummary(): Promise<HealthSummary> {
    const flags = { ready: this.#ready, started: this.#started };
    return summaryOf(
      await this.#wholeRun(),
      flags,
      (check) => this.#probes.get(check)?.uptime() ?? [],
    );
  }

  async liveness(options: ProbeOptions = {}): Promise<HealthReport> {
    return this.#runChecks(LIVENESS, this.#resolve(options));
  }

  async readiness(options: ProbeOptions = {}): Promise<HealthReport> {
    const run = this.#resolve(options);
    if (!this.#ready) return this.#refused(this.#notReadyReason);
    if (!this.#started) return this.#refused(NOT_STARTED);
    const report = await this.#runChecks(READINESS, run);
    // A shutdown may have begun while the checks ran.
    return this.#ready ? report : this.#refused(this.#notReadyReason);
  }

  async startup(options: ProbeOptions = {}): Promise<HealthReport> {
    const run = this.#resolve(options);
    if (!this.#started) return this.#refused(NOT_STARTED);
    if (this.#startupPassed) return reportOf(this.name, this.#options.clock.now(), []);
    const report = await this.#runChecks(STARTUP, run);
    if (report.status !== 'unhealthy' && report.excluded.length === 0) this.#startupPassed = true;
    return report;
  }

  history(name: string, limit?: number): readonly HistoryEntry[] {
    if (limit !== undefined) checkNumber('history', 'limit', limit, { min: 0, integer: true });
    return this.#known(name).history(limit);
  }

  uptime(name: string): readonly Uptime[] {
    return this.#known(name).uptime();
  }

  stats(): HealthStats {
    const probes = [...this.#probes.values()];
    return {
      ready: this.#ready,
      started: this.#started,
      checks: probes.flatMap(({ report }) => report ?? []),
      probes: Object.fromEntries(
        probes.map(({ check, meter }) => [check.name, { ...meter.probes }]),
      ),
      unknown: probes.filter(({ report }) => report === undefined).map(({ check }) => check.name),
    };
  }

  setReady(ready: boolean, reason?: string): void {
    checkType('setReady', 'ready', ready, 'boolean');
    if (reason !== undefined) checkType('setReady', 'reason', reason, 'string');
    this.#ready = ready;
    this.#notReadyReason = reason === undefined ? NOT_READY : safeText(reason);
  }

  setStarted(): void {
    this.#started = true;
  }

  start(): Disposable {
    const start = {
      [Symbol.dispose]: () => {
        if (this.#starts.delete(start) && this.#starts.size === 0) this.#refresher.stop();
      },
    };
    this.#starts.add(start);
    for (const probe of this.#probes.values()) this.#refresher.add(probe);
    return start;
  }

  stop(): void {
    this.#starts.clear();
    this.#refresher.stop();
  }

  *levels(): Iterable<{ readonly meter: CheckMeter; readonly status: HealthStatus }> {
    for (const { meter, report } of this.#probes.values()) {
      if (report !== undefined) yield { meter, status: report.status };
    }
  }

  [Symbol.dispose](): void {
    this.stop();
    this.#telemetry[Symbol.dispose]();
    // The checks stay registered: a monitor without checks would report healthy.
    for (const probe of this.#probes.values()) {
      releaseProbe(probe, this.#options.telemetry);
      notify(this.name, 'dispose', probe.check.dispose);
    }
  }

  /** Begins the messages of errors. */
  get #owner(): string {
    return `Health monitor '${this.name}'`;
  }

  #resolve(options: ProbeOptions): Run {
    const { budgetMs, ...run } = resolveOptions<ProbeOptions, 'budgetMs'>(
      this.#owner,
      options,
      RUN_DEFAULTS,
      PROBE_RULES,
    );
    const byDefault = run.fresh ? Number.POSITIVE_INFINITY : this.#options.budgetMs;
    return { ...run, budgetMs: budgetMs ?? byDefault };
  }

  /** @param group - `undefined` for all checks */
  async #runChecks(
    group: CheckGroup | undefined,
    { exclude, fresh, budgetMs }: Run,
  ): Promise<HealthReport> {
    const chosen = [...this.#probes.values()].filter(
      ({ check }) => group === undefined || check.groups.includes(group),
    );
    const reports = chosen.map((probe) =>
      fresh ? undefined : probe.current(this.#maxAgeMs(probe)),
    );
    if (reports.includes(undefined)) {
      const runs = chosen.map(
        async (probe, index) =>
          (reports[index] ??= await probe.run(fresh ? 0 : this.#maxAgeMs(probe))),
      );
      await this.#within(budgetMs, Promise.all(runs));
    }
    const checks = chosen.map(
      (probe, index) =>
        reports[index] ?? probe.current(this.#refresher.maxAgeMs(probe)) ?? probe.unknown(budgetMs),
    );
    return reportOf(this.name, this.#options.clock.now(), checks, exclude);
  }

  /** Waits for `work`, but not longer than the budget. */
  async #within(budgetMs: number, work: Promise<unknown>): Promise<void> {
    if (budgetMs === Number.POSITIVE_INFINITY) {
      await work;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const timer = this.#options.clock.schedule(resolve, budgetMs);
      const leave = (): void => {
        timer.cancel();
        resolve();
      };
      work.then(leave, reject);
    });
  }

  /** @throws {RangeError} when no check is in the group */
  #checkGroup(group: CheckGroup): void {
    const used = [...this.#probes.values()].flatMap(({ check }) => check.groups);
    const groups = new Set([...BUILT_IN_GROUPS, ...used]);
    if (groups.has(group)) return;
    throw new RangeError(
      `${this.#owner} has no check in the group ${show(group)}. Groups: ${[...groups].join(', ')}.`,
    );
  }

  /** Concurrent callers share one run of all checks. */
  #wholeRun(): Promise<HealthReport> {
    this.#run ??= this.check().finally(() => {
      this.#run = undefined;
    });
    return this.#run;
  }

  #maxAgeMs(probe: Probe): number {
    return this.#refresher.has(probe) ? this.#refresher.maxAgeMs(probe) : probe.check.ttlMs;
  }

  #known(name: string): Probe {
    const probe = this.#probes.get(checkName(this.#owner, name));
    if (probe === undefined) {
      const names = [...this.#probes.keys()].join(', ') || 'none';
      throw new RangeError(
        `${this.#owner} has no check named '${name}'. Registered checks: ${names}.`,
      );
    }
    return probe;
  }

  #refused(message: string): HealthReport {
    const timestamp = this.#options.clock.now();
    return { name: this.name, status: 'unhealthy', timestamp, checks: [], excluded: [], message };
  }

  #changed(from: HealthStatus | undefined, report: CheckReport): void {
    if (from === undefined && report.status === 'healthy') return;
    const { name, status, message } = report;
    const change: StatusChange = { monitor: this.name, check: name, from, to: status, message };
    logStatusChange(change, this.#options.telemetry);
    notify(this.name, 'onStatusChange', this.#options.onStatusChange, change);
  }
}

/**
 * Creates a {@link HealthMonitor}.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 * @throws {DuplicateCheckError} when two checks have the same name
 */
export function healthMonitor(options: HealthMonitorOptions = {}): HealthMonitor {
  return new Monitor(resolveHealthOptions(options));
}
