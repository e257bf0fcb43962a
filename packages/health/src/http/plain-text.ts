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
    lines.push(`warn: cannot exclude unknown checks ${unmatched.map(quote).join(', ')}`);
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

/** A name from the query on one line, at most 60 characters long. */
function quote(name: string): string {
  return `"${oneLine(name).slice(0, 60)}"`;
}

function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ').trim();
}
