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

/** The names of all runbooks, in the report's order. */
export function listRunbooks(): readonly RunbookId[] {
  return RUNBOOKS.map(({ id }) => id);
}

/** One runbook; `undefined` for a name that there is not. */
export function getRunbook(id: string): Runbook | undefined {
  return RUNBOOKS.find((runbook) => runbook.id === id);
}

/** The runbook that an alert leads to; `undefined` for an alert that has none. */
export function runbookForAlert(alert: string): Runbook | undefined {
  return RUNBOOKS.find(({ alerts }) => alerts.includes(alert));
}
