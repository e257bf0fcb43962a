import type { Runbook, RunbookId } from './runbook.ts';
import { CIRCUIT_BREAKER_OPEN } from './runbooks/circuit-breaker-open.ts';
import { HIGH_MEMORY_USAGE } from './runbooks/high-memory-usage.ts';
import { PERSISTENT_ERRORS } from './runbooks/persistent-errors.ts';
import { RATE_LIMIT_EXCEEDED } from './runbooks/rate-limit-exceeded.ts';
import { SLOW_RESPONSE } from './runbooks/slow-response.ts';

const RUNBOOKS: readonly Runbook[] = [
  HIGH_MEMORY_USAGE,
  SLOW_RESPONSE,
  CIRCUIT_BREAKER_OPEN,
  RATE_LIMIT_EXCEEDED,
  PERSISTENT_ERRORS,
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
