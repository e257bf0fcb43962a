/** A reference of a step. The tests of the repository verify that each one exists. */
export type Reference =
  /** A metric by its OTLP name, with a PromQL query on the scraped name (see docs/telemetry.md). */
  | { readonly kind: 'metric'; readonly name: string; readonly query: string }
  /** A Grafana panel, by dashboard uid and panel title. */
  | { readonly kind: 'panel'; readonly dashboard: string; readonly panel: string }
  /** An endpoint of the service. */
  | { readonly kind: 'endpoint'; readonly method: 'GET' | 'POST'; readonly path: string }
  /** A command for a shell. */
  | { readonly kind: 'command'; readonly command: string };

/** A step of a runbook. */
export interface Step {
  /** The action, in the imperative. */
  readonly action: string;
  /** How to interpret the result. */
  readonly expect?: string;
  readonly references?: readonly Reference[];
}

/** The id of a runbook. */
export type RunbookId =
  | 'high_memory_usage'
  | 'slow_response'
  | 'circuit_breaker_open'
  | 'rate_limit_exceeded'
  | 'persistent_errors';

/** A runbook for one kind of incident. */
export interface Runbook {
  readonly id: RunbookId;
  readonly title: string;
  readonly description: string;
  /** Observable symptoms. */
  readonly symptoms: readonly string[];
  readonly rootCauses: readonly string[];
  /** In order of execution. */
  readonly steps: readonly Step[];
  /** Measures that prevent a recurrence. */
  readonly prevention: readonly string[];
  /** The alerts that link to this runbook. */
  readonly alerts: readonly string[];
}
