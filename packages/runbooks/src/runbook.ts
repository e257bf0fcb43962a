/** What a step looks at besides its command. The tests of the repository verify that it exists. */
export type Reference =
  /** A metric by its OTLP name; see docs/telemetry.md. */
  | { readonly kind: 'metric'; readonly name: string }
  /** A Grafana panel, by dashboard uid and panel title. */
  | { readonly kind: 'panel'; readonly dashboard: string; readonly panel: string };

/** A step of a runbook. */
export interface Step {
  /** The action, in the imperative. */
  readonly action: string;
  /** How to interpret the result. */
  readonly expect?: string;
  /** Commands for bash, after those of {@link Runbook.setup}. */
  readonly run?: string;
  /**
   * What the commands print while nothing is wrong. In such a text `…` stands for anything, `N` for a
   * number above 0, and `(nothing)` for no output. Its lines occur in the output in this order, possibly
   * among others. Present if and only if there are commands.
   */
  readonly good?: string;
  /** What they print in the incident. Absent if that is no different, as after a remedy. */
  readonly bad?: string;
  readonly references?: readonly Reference[];
}

/** The id of a runbook. */
export type RunbookId =
  | 'high_memory_usage'
  | 'slow_response'
  | 'event_loop_stall'
  | 'circuit_breaker_open'
  | 'rate_limit_exceeded'
  | 'store_unreachable'
  | 'persistent_errors'
  | 'unhealthy_check'
  | 'audit_loss'
  | 'hung_shutdown'
  | 'target_absent';

/** A runbook for one kind of incident. */
export interface Runbook {
  readonly id: RunbookId;
  readonly title: string;
  readonly description: string;
  /** Observable symptoms. */
  readonly symptoms: readonly string[];
  readonly rootCauses: readonly string[];
  /** Commands for bash that set the addresses and paths for the commands of the steps. */
  readonly setup: string;
  /** In order of execution. */
  readonly steps: readonly Step[];
  /** Measures that prevent a recurrence. */
  readonly prevention: readonly string[];
  /** The alerts that link to this runbook. */
  readonly alerts: readonly string[];
}
