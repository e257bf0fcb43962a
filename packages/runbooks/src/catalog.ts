import type { Runbook, RunbookId } from './runbook.ts';
import { AUDIT_LOSS } from './runbooks/audit-loss.ts';
import { CIRCUIT_BREAKER_OPEN } from './runbooks/circuit-breaker-open.ts';
import { EVENT_LOOP_STALL } from './runbooks/event-loop-stall.ts';
import { HIGH_MEMORY_USAGE } from './runbooks/high-memory-usage.ts';
import { HUNG_SHUTDOWN } from './runbooks/hung-shutdown.ts';
import { PERSISTENT_ERRORS } from './runbooks/persistent-errors.ts';
import { RATE_LIMIT_EXCEEDED } from './runbooks/rate-limit-exceeded.ts';
import { SLOW_RESPONSE } from './runbooks/slow-response.ts';
import { STORE_UNREACHABLE } from './runbooks/store-unreachable.ts';
import { TARGET_ABSENT } from './runbooks/target-absent.ts';
import { UNHEALTHY_CHECK } from './runbooks/unhealthy-check.ts';

const RUNBOOKS: readonly Runbook[] = [
  HIGH_MEMORY_USAGE,
  SLOW_RESPONSE,
  EVENT_LOOP_STALL,
  CIRCUIT_BREAKER_OPEN,
  RATE_LIMIT_EXCEEDED,
  STORE_UNREACHABLE,
  PERSISTENT_ERRORS,
  UNHEALTHY_CHECK,
  AUDIT_LOSS,
  HUNG_SHUTDOWN,
  TARGET_ABSENT,
];

/** The ids of all runbooks. */
export function listRunbooks(): readonly RunbookId[] {
  return RUNBOOKS.map(({ id }) => id);
}

/** The runbook with an id, or `undefined` when it is unknown. */
export function getRunbook(id: string): Runbook | undefined {
  return RUNBOOKS.find((runbook) => runbook.id === id);
}

/** The runbook for an alert, or `undefined` when there is none. */
export function runbookForAlert(alert: string): Runbook | undefined {
  return RUNBOOKS.find(({ alerts }) => alerts.includes(alert));
}
