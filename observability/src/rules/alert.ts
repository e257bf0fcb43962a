import type { RunbookId } from '@temper/runbooks';
import type { Queries } from './queries.ts';

/** Required reaction. `page`: immediately. `ticket`: within the working day. */
type AlertSeverity = 'page' | 'ticket';

/** A recording rule, whose series is shared by several alerts. */
export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

/** An alert on a symptom that is visible to users or operators. */
export interface AlertRule {
  readonly alert: string;
  readonly severity: AlertSeverity;
  readonly expr: (queries: Queries) => string;
  /** How long the condition must hold, as a Prometheus duration, above 0. */
  readonly for: string | ((queries: Queries) => string);
  /**
   * How long it goes on after its condition has ended, as a Prometheus duration: an alert that inhibits
   * others must outlive them.
   * @defaultValue not at all
   */
  readonly keepFiringFor?: string;
  /** `{job}`, `{instance}` and attributes such as `{temper.policy.name}` stand for the labels. */
  readonly summary: string;
  readonly description: string;
  readonly runbook: RunbookId;
}
