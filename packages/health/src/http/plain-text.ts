import type { CheckReport, HealthReport } from '../report.ts';

const WORD = { healthy: 'ok', degraded: 'degraded', unhealthy: 'unhealthy' } as const;
const MARK = { healthy: '+', degraded: '!', unhealthy: '-' } as const;

/** The status in a word: what a public probe gets. */
export function statusWord(report: HealthReport): string {
  return `${WORD[report.status]}\n`;
}

/**
 * One line per check and a verdict, as the Kubernetes API server answers `?verbose`
 * (https://kubernetes.io/docs/reference/using-api/health-checks/).
 *
 * @param endpoint - the probe's path without its slash, such as `readyz`
 * @param unmatched - excluded names that no check has
 */
export function verboseText(
  endpoint: string,
  report: HealthReport,
  unmatched: readonly string[],
): string {
  const lines = report.checks.map((check) => line(check, report.excluded.includes(check.name)));
  if (unmatched.length > 0) {
    lines.push(`warn: no check to exclude is named ${unmatched.map(quote).join(', ')}`);
  }
  if (report.message !== undefined) lines.push(`[-]${oneLine(report.message)}`);
  lines.push(`${endpoint} check ${report.status === 'unhealthy' ? 'failed' : 'passed'}`);
  return `${lines.join('\n')}\n`;
}

function line(check: CheckReport, excluded: boolean): string {
  if (excluded) return `[ ]${check.name} excluded: ${WORD[check.status]}`;
  const said =
    check.message === undefined || check.status === 'healthy' ? '' : `: ${oneLine(check.message)}`;
  return `[${MARK[check.status]}]${check.name} ${WORD[check.status]}${said}`;
}

/** A name from the query, made harmless and short. */
function quote(name: string): string {
  return `"${oneLine(name).slice(0, 60)}"`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
