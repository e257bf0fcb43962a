/** Something a step points at, and that must exist. Tests of the repository follow every one. */
export type Reference =
  /** A metric by its dotted name, with the PromQL to ask (as scraped; see docs/telemetry.md). */
  | { readonly kind: 'metric'; readonly name: string; readonly query: string }
  /** A panel of one of the Grafana dashboards, by the dashboard's uid and the panel's title. */
  | { readonly kind: 'panel'; readonly dashboard: string; readonly panel: string }
  /** An endpoint of the service. */
  | { readonly kind: 'endpoint'; readonly method: 'GET' | 'POST'; readonly path: string }
  /** A command for a shell. */
  | { readonly kind: 'command'; readonly command: string };

/** One thing to do. */
export interface Step {
  /** What to do, in the imperative. */
  readonly action: string;
  /** How to tell what it shows, and what then. */
  readonly expect?: string;
  readonly references?: readonly Reference[];
}

/** The name of a runbook. */
export type RunbookId =
  | 'high_memory_usage'
  | 'slow_response'
  | 'circuit_breaker_open'
  | 'rate_limit_exceeded'
  | 'persistent_errors';

/** What an operator does about one kind of trouble. */
export interface Runbook {
  readonly id: RunbookId;
  readonly title: string;
  readonly description: string;
  /** What is seen from outside. */
  readonly symptoms: readonly string[];
  readonly rootCauses: readonly string[];
  /** In this order. */
  readonly steps: readonly Step[];
  /** What keeps it from happening again. */
  readonly prevention: readonly string[];
  /** The alerts that lead here. */
  readonly alerts: readonly string[];
}
