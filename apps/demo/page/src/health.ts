import { call } from './api.ts';
import { byId, el } from './dom.ts';
import { millis } from './recent.ts';
import type { Health, HealthCheck } from './wire.ts';

export async function askHealth(): Promise<Health | undefined> {
  const answer = await call<Health>('GET', '/v1/health', { traced: false });
  return answer.ok ? answer.data : undefined;
}

/** Shows the health checks and the child processes. */
export function showHealth({ status, ready, checks, children }: Health): void {
  const { registry, lsp, workers } = children;
  const killed = Object.values(workers.replaced).reduce((sum, count) => sum + count, 0);
  byId('panel-health').replaceChildren(
    el(
      'p',
      {
        class: 'verified',
        'data-ok': status === 'degraded' ? 'partly' : String(status === 'healthy'),
      },
      `The service is ${status} and ${ready ? 'ready' : 'not ready'} for traffic. Registry: process ${registry.pid}. Language server: ${
        lsp.pid === undefined ? 'no process' : `process ${lsp.pid}`
      }, ${lsp.state}, restarted ${lsp.restarts} times. Workers: ${workers.busy} of ${workers.size} busy, ${killed} replaced.`,
    ),
    el('ul', { class: 'checks' }, ...Object.values(checks).map(checkOf)),
  );
}

function checkOf({
  name,
  status,
  message,
  critical,
  responseTimeMs,
  uptime,
}: HealthCheck): HTMLElement {
  const hour = uptime.find(({ windowMs }) => windowMs === 3_600_000)?.ratio;
  const facts = [
    critical ? 'critical' : 'not critical',
    `answered in ${millis(responseTimeMs)}`,
    ...(hour === undefined
      ? []
      : [`up ${(Math.floor(hour * 1_000) / 10).toFixed(1)} % of the last hour`]),
  ];
  return el(
    'li',
    { class: 'check' },
    el(
      'p',
      { class: 'check-head' },
      el('strong', {}, name.replaceAll('_', ' ')),
      el('span', { class: 'chip', 'data-state': status }, status),
    ),
    message === undefined ? undefined : el('p', {}, message),
    el('p', { class: 'muted' }, facts.join(' · ')),
  );
}
