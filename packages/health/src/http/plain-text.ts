import { safeText } from '@temper/core/policy';
import type { CheckReport, HealthReport } from '../report.ts';

const WORD = { healthy: 'ok', degraded: 'degraded', unhealthy: 'unhealthy' } as const;
const MARK = { healthy: '+', degraded: '!', unhealthy: '-' } as const;

/** The status as one word, the response to a probe without details. */
export function statusWord(report: HealthReport): string {
  return `${WORD[report.status]}\n`;
}

/**
 * One line per check and a summary line, in the format of the Kubernetes API server for `?verbose`
 * (https://kubernetes.io/docs/reference/using-api/health-checks/).
 *
 * @param endpoint - last segment of the probe's path, such as `readyz`
 * @param unmatched - excluded names without a check
 */
export function verboseText(
  endpoint: string,
  report: HealthReport,
  unmatched: readonly string[],
): string {
  const lines = report.checks.map((check) => line(check, report.excluded.includes(check.name)));
  if (unmatched.length > 0) {
    lines.push(`warn: cannot exclude unknown checks ${quoted(unmatched)}`);
  }
  if (report.message !== undefined) lines.push(`[-]${safeText(report.message)}`);
  lines.push(`${endpoint} check ${report.status === 'unhealthy' ? 'failed' : 'passed'}`);
  return `${lines.join('\n')}\n`;
}

function line(check: CheckReport, excluded: boolean): string {
  const name = safeText(check.name);
  if (excluded) return `[ ]${name} excluded: ${WORD[check.status]}`;
  const said =
    check.message === undefined || check.status === 'healthy' ? '' : `: ${safeText(check.message)}`;
  const { ageMs = 0 } = check;
  const age = ageMs < 1000 ? '' : ` (${Math.floor(ageMs / 1000)} s ago)`;
  return `[${MARK[check.status]}]${name} ${WORD[check.status]}${age}${said}`;
}

/** How many names from the query are repeated. */
const MAX_QUOTED = 10;

/** Names from the query, at most 60 characters of each. */
function quoted(names: readonly string[]): string {
  const shown = names.slice(0, MAX_QUOTED).map((name) => `"${safeText(name, 60)}"`);
  const more = names.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
