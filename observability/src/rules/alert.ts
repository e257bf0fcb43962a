import type { RunbookId } from '@temper/runbooks';
import type { Names } from '../names.ts';

/** How soon somebody has to look. `page`: now. `ticket`: within the working day. */
type AlertSeverity = 'page' | 'ticket';

/** A series that is computed once for several alerts and panels. */
export interface RecordingRule {
  readonly record: string;
  readonly expr: (names: Names) => string;
}

/** An alert by a symptom that users or operators feel. */
export interface AlertRule {
  readonly alert: string;
  readonly severity: AlertSeverity;
  readonly expr: (names: Names) => string;
  /** How long it must hold, as Prometheus writes durations. */
  readonly for: string;
  readonly summary: string;
  readonly description: string;
  readonly runbook: RunbookId;
}

/** What alerts are grouped by beside the policy. */
export const BY_JOB_AND_POLICY = 'job, temper_policy_name';
