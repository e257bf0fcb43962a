import type { RunbookId } from '@temper/runbooks';
import type { Names } from '../names.ts';

/** Required reaction. `page`: immediately. `ticket`: within the working day. */
type AlertSeverity = 'page' | 'ticket';

/** A recording rule, whose series is shared by several alerts. */
export interface RecordingRule {
  readonly record: string;
  readonly expr: (names: Names) => string;
}

/** An alert on a symptom that is visible to users or operators. */
export interface AlertRule {
  readonly alert: string;
  readonly severity: AlertSeverity;
  readonly expr: (names: Names) => string;
  /** How long the condition must hold, as a Prometheus duration. */
  readonly for: string;
  readonly summary: string;
  readonly description: string;
  readonly runbook: RunbookId;
}

/** The labels that alerts are grouped by. */
export const BY_JOB_AND_POLICY = 'job, temper_policy_name';
