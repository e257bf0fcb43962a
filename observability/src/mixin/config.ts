import type { Feature } from '../dashboards/panel.ts';
import type { NameStyle } from '../prometheus-names.ts';

/** Names of the labels that say where a series comes from. */
interface ScopeLabels {
  /** The service. @defaultValue 'job' */
  readonly job: string;
  /** One process of the service. @defaultValue 'instance' */
  readonly instance: string;
  /** The cluster; `null` when there is only one. @defaultValue 'cluster' */
  readonly cluster: string | null;
  /** The namespace or environment; `null` for none. @defaultValue 'namespace' */
  readonly namespace: string | null;
}

/** A burn-rate alert over a long and a short window. */
export interface BurnWindows {
  /** How many times too fast the error budget is spent, above 1. */
  readonly factor: number;
  /** Prometheus durations. The minimum of traffic must be reached in the long one. */
  readonly long: string;
  readonly short: string;
}

/** The objective of the calls through a circuit breaker. */
interface Slo {
  /** Share of calls that must not fail or be rejected, from 0 to below 1. @defaultValue 0.99 */
  readonly objective: number;
  /** Of the alert that pages. @defaultValue 14.4 times over 1h and 5m */
  readonly fast: BurnWindows;
  /** Of the ticket. @defaultValue 6 times over 6h and 30m */
  readonly slow: BurnWindows;
}

/** Traffic below which shares and quantiles mean nothing, and no alert fires on them. */
interface Minimum {
  /** Calls in the window of the alert, from 1. @defaultValue 50 */
  readonly calls: number;
  /** Failed ones among them, from 1. @defaultValue 5 */
  readonly failures: number;
}

/** Thresholds that can differ by policy. */
export interface PolicyThresholds {
  /** Failed and rejected calls of a breaker, as a share over five minutes. @defaultValue 0.01 */
  readonly errorRatio: number;
  /** Operations that failed after all retries, as a share. @defaultValue 0.05 */
  readonly exhaustedRatio: number;
  /** Requests that a limiter rejected, as a share. @defaultValue 0.05 */
  readonly rejectedRatio: number;
  /** p99 of the calls of a breaker, in seconds. @defaultValue 5 */
  readonly latencySeconds: number;
  /** {@link Slo.objective} of one policy. @defaultValue that of all */
  readonly objective: number;
}

/** Thresholds of all policies and processes. */
interface Thresholds extends Omit<PolicyThresholds, 'objective'> {
  /** As the three shares above, of a single instance. @defaultValue 0.5 */
  readonly instanceRatio: number;
  /** Share of the instances with an open circuit or an unhealthy check that pages. @defaultValue 0.25 */
  readonly instanceShare: number;
  /** Openings of one circuit of one instance in 30 minutes, each after it was closed. @defaultValue 5 */
  readonly openings: number;
  /** Share of the memory limit. @defaultValue 0.8 */
  readonly memory: number;
  /** Share of the CPU limit. @defaultValue 0.8 */
  readonly cpu: number;
  /** Event loop utilization. @defaultValue 0.9 */
  readonly eventLoop: number;
  /** Events that a shipping target may be behind. @defaultValue 10000 */
  readonly auditLag: number;
}

/** What may be changed of one alert. */
interface AlertOverride {
  readonly severity?: 'page' | 'ticket';
  /** How long the condition must hold, as a Prometheus duration. */
  readonly for?: string;
}

/** Which service is scaled by the signal of `@temper/forecast`, and how. */
export interface ScalingTarget {
  /** Name of the Deployment, and of the manifests. */
  readonly deployment: string;
  /** Value of the label of the service. @defaultValue that of `deployment` */
  readonly job?: string;
  /** Namespace of the manifests. @defaultValue none: that of `kubectl` */
  readonly namespace?: string;
  /** Name of one signal. @defaultValue all: the one that needs most decides */
  readonly policy?: string;
  /** The option of the signal: shares are added up, numbers of the whole are not. @defaultValue 'instance' */
  readonly scope?: 'instance' | 'service';
  /** Which gauge is followed. @defaultValue 'desired' */
  readonly bound?: 'lower' | 'desired' | 'upper';
  /** @defaultValue 1 */
  readonly minReplicas?: number;
  /** @defaultValue 100 */
  readonly maxReplicas?: number;
  /** Address of Prometheus, for KEDA. @defaultValue 'http://prometheus:9090' */
  readonly prometheus?: string;
}

/** The configuration of the mixin. Every setting is optional in the file. */
export interface MixinConfig {
  /** Names of the metrics, by the way they take into Prometheus. @defaultValue 'scrape' */
  readonly nameStyle: NameStyle;
  /** Matchers of every selector, such as `env="prod"`. @defaultValue '' */
  readonly selector: string;
  readonly labels: ScopeLabels;
  /** Evaluation interval of the rules, shorter than the 5m that Prometheus looks back. @defaultValue '15s' */
  readonly interval: string;
  /**
   * Jobs that must be there: absence is noticed even if they never were. Others are missed for
   * {@link absentWindow} after they were seen.
   * @defaultValue []
   */
  readonly jobs: readonly string[];
  /** How long a job that has gone is missed. @defaultValue '1h' */
  readonly absentWindow: string;
  readonly slo: Slo;
  readonly minimum: Minimum;
  readonly thresholds: Thresholds;
  /** Thresholds of single policies, by name. @defaultValue {} */
  readonly policies: Readonly<Record<string, Partial<PolicyThresholds>>>;
  /** Longest expected shutdown; a longer one hangs. @defaultValue '1m' */
  readonly shutdown: string;
  /** Changes to alerts by name; `false` leaves one out. @defaultValue {} */
  readonly alerts: Readonly<Record<string, false | AlertOverride>>;
  /**
   * What the service has of what not every service has. The dashboards show nothing of the rest.
   * @defaultValue null: they show everything
   */
  readonly uses: readonly Feature[] | null;
  /** URL of the folder with the runbook pages. */
  readonly runbooks: string;
  /** Manifests for autoscalers; `null` for none. @defaultValue null */
  readonly scaling: ScalingTarget | null;
}

/** The configuration whose output is in this repository. */
export const DEFAULT_CONFIG: MixinConfig = {
  nameStyle: 'scrape',
  selector: '',
  labels: { job: 'job', instance: 'instance', cluster: 'cluster', namespace: 'namespace' },
  interval: '15s',
  jobs: [],
  absentWindow: '1h',
  slo: {
    objective: 0.99,
    fast: { factor: 14.4, long: '1h', short: '5m' },
    slow: { factor: 6, long: '6h', short: '30m' },
  },
  minimum: { calls: 50, failures: 5 },
  thresholds: {
    errorRatio: 0.01,
    exhaustedRatio: 0.05,
    rejectedRatio: 0.05,
    latencySeconds: 5,
    instanceRatio: 0.5,
    instanceShare: 0.25,
    openings: 5,
    memory: 0.8,
    cpu: 0.8,
    eventLoop: 0.9,
    auditLag: 10_000,
  },
  policies: {},
  shutdown: '1m',
  alerts: {},
  uses: null,
  runbooks: 'https://github.com/temper-js/temper/blob/main/docs/runbooks',
  scaling: null,
};
