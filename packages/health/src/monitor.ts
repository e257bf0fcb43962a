import { checkName, checkNumber, checkType, notify } from '@temper/core';
import { type HealthCheck, LIVENESS, READINESS, resolveCheck, STARTUP } from './check-options.ts';
import { DuplicateCheckError } from './errors.ts';
import {
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
  summaryOf,
} from './report.ts';
import type { HealthStatus } from './status.ts';
import { type CheckMeter, logStatusChange, observeMonitor, onListenerError } from './telemetry.ts';
import type { Uptime } from './uptime.ts';

/** Which checks to run, and how. */
export interface CheckOptions {
  /** Only checks of this group. @defaultValue all checks */
  readonly group?: string;
  /** Names whose checks are listed and do not count. @defaultValue none */
  readonly exclude?: readonly string[];
  /** Whether to probe anew even where the last result is fresh. @defaultValue false */
  readonly fresh?: boolean;
}

/** A check has changed its status. */
export interface StatusChange {
  readonly monitor: string;
  readonly check: string;
  /** Undefined for the first probe, which is told only if it finds something. */
  readonly from: HealthStatus | undefined;
  readonly to: HealthStatus;
  readonly message: string | undefined;
}

/** What is known without probing. */
export interface HealthStats {
  readonly ready: boolean;
  readonly started: boolean;
  /** Checks that have been probed at least once. */
  readonly checks: readonly CheckReport[];
  /** Names of checks that nobody has asked for yet. */
  readonly unknown: readonly string[];
}

/** Knows how a service is. */
export interface HealthMonitor extends Disposable {
  readonly name: string;
  /** Whether the service takes traffic, as far as it says so itself. */
  readonly ready: boolean;
  readonly started: boolean;
  /**
   * Adds a check; disposing of the result takes it out again.
   *
   * @throws {DuplicateCheckError} when its name is taken
   * @throws {TypeError | RangeError} when an option is unknown or out of range
   */
  register(check: HealthCheck): Disposable;
  /** Takes a check out, with its history. @returns whether it was there */
  unregister(name: string): boolean;
  /** Runs the checks, all at once, and says what they found. Never rejects for what a check does. */
  check(options?: CheckOptions): Promise<HealthReport>;
  /** How the whole is. Shares its run with {@link getHealthSummary}, so that the two agree. */
  getOverallHealth(): Promise<HealthStatus>;
  /** How the whole and every part is. */
  getHealthSummary(): Promise<HealthSummary>;
  /** Whether the process lives: checks of the group `liveness`, which hold no dependency. */
  liveness(options?: Omit<CheckOptions, 'group'>): Promise<HealthReport>;
  /** Whether the service takes traffic: unhealthy unless ready and started, else the group `readiness`. */
  readiness(options?: Omit<CheckOptions, 'group'>): Promise<HealthReport>;
  /** Whether the service has started. Once the group `startup` has passed, this stays so. */
  startup(options?: Omit<CheckOptions, 'group'>): Promise<HealthReport>;
  /** The last probes of a check, oldest first. @throws {RangeError} for a name that is not registered */
  history(name: string, limit?: number): readonly HistoryEntry[];
  /** Uptime of a check. @throws {RangeError} for a name that is not registered */
  uptime(name: string): readonly Uptime[];
  /** What is known without probing. */
  stats(): HealthStats;
  /**
   * Says whether the service takes traffic at all; takes effect at once, whatever is cached. A shutdown
   * says `false` first.
   */
  setReady(ready: boolean, reason?: string): void;
  /** Says that the service has started; see {@link HealthMonitorOptions.started}. */
  setStarted(): void;
  /** Begins to probe in the background, and keeps no process alive. Disposing of the result stops it. */
  start(): Disposable;
  /** Ends {@link start}. */
  stop(): void;
}

class Monitor implements HealthMonitor {
  readonly name: string;
  readonly #options: ResolvedHealthOptions;
  readonly #probes = new Map<string, Probe>();
  readonly #refresher: Refresher;
  readonly #telemetry: Disposable;
  #refreshing = false;
  #run: Promise<HealthReport> | undefined;
  #ready = true;
  #notReadyReason = 'the service says it is not ready';
  #started: boolean;
  #startupPassed = false;

  constructor(options: ResolvedHealthOptions) {
    this.name = options.name;
    this.#options = options;
    this.#started = options.started;
    this.#refresher = new Refresher(options.clock, options.random, options.refreshJitter);
    for (const check of options.checks) this.register(check);
    this.#telemetry = observeMonitor(this);
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
    if (this.#refreshing) this.#refresher.add(probe);
    return {
      [Symbol.dispose]: () => {
        if (this.#probes.get(name) === probe) this.unregister(name);
      },
    };
  }

  unregister(name: string): boolean {
    const probe = this.#probes.get(name);
    if (probe === undefined) return false;
    this.#refresher.remove(probe);
    this.#probes.delete(name);
    notify(probe.check.dispose, undefined, onListenerError);
    return true;
  }

  async check(options: CheckOptions = {}): Promise<HealthReport> {
    const { group, exclude, fresh = false } = options;
    const chosen = [...this.#probes.values()].filter(
      ({ check }) => group === undefined || check.groups.includes(group),
    );
    const checks = await Promise.all(
      chosen.map((probe) => probe.run(fresh ? 0 : this.#maxAgeMs(probe))),
    );
    return reportOf(this.name, this.#options.clock.now(), checks, exclude);
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

  liveness(options: Omit<CheckOptions, 'group'> = {}): Promise<HealthReport> {
    return this.check({ ...options, group: LIVENESS });
  }

  async readiness(options: Omit<CheckOptions, 'group'> = {}): Promise<HealthReport> {
    if (!this.#ready) return this.#refused(this.#notReadyReason);
    if (!this.#started) return this.#refused('the service has not started');
    const report = await this.check({ ...options, group: READINESS });
    // A shutdown may have begun while the checks ran.
    return this.#ready ? report : this.#refused(this.#notReadyReason);
  }

  async startup(options: Omit<CheckOptions, 'group'> = {}): Promise<HealthReport> {
    if (!this.#started) return this.#refused('the service has not started');
    if (this.#startupPassed) return reportOf(this.name, this.#options.clock.now(), []);
    const report = await this.check({ ...options, group: STARTUP });
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
      unknown: probes.filter(({ report }) => report === undefined).map(({ check }) => check.name),
    };
  }

  setReady(ready: boolean, reason?: string): void {
    checkType('setReady', 'ready', ready, 'boolean');
    if (reason !== undefined) checkType('setReady', 'reason', reason, 'string');
    this.#ready = ready;
    this.#notReadyReason = reason ?? 'the service says it is not ready';
  }

  setStarted(): void {
    this.#started = true;
  }

  start(): Disposable {
    this.#refreshing = true;
    for (const probe of this.#probes.values()) this.#refresher.add(probe);
    return { [Symbol.dispose]: () => this.stop() };
  }

  stop(): void {
    this.#refreshing = false;
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
    // The checks stay: a monitor without any would call everything healthy.
    for (const { check } of this.#probes.values()) {
      notify(check.dispose, undefined, onListenerError);
    }
  }

  /** One run for everybody who asks for the whole while it is under way. */
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
    const probe = this.#probes.get(checkName('health', name));
    if (probe === undefined) {
      const names = [...this.#probes.keys()].join(', ') || 'none';
      throw new RangeError(`'${this.name}' has no check named '${name}'; registered: ${names}.`);
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
    logStatusChange(change);
    notify(this.#options.onStatusChange, change, onListenerError);
  }
}

/**
 * Makes a {@link HealthMonitor}.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 * @throws {DuplicateCheckError} when two checks have one name
 */
export function healthMonitor(options: HealthMonitorOptions = {}): HealthMonitor {
  return new Monitor(resolveHealthOptions(options));
}
