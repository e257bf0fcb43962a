import { type DashboardDefinition, OUTCOME, POLICY, quantileBy, rateBy } from './panel.ts';

/** The overview dashboard. */
export const OVERVIEW: DashboardDefinition = {
  uid: 'temper-overview',
  title: 'Temper: overview',
  description:
    'The state of the service at a glance. Details are on the dashboard of each package.',
  rows: [
    {
      title: 'Current problems',
      panels: [
        {
          title: 'Open circuits',
          description: 'Circuits that currently reject calls. See the runbook when it is not 0.',
          kind: 'stat',
          unit: 'short',
          runbook: 'circuit_breaker_open',
          queries: [
            {
              expr: (n) =>
                `sum(${n.of('temper.breaker.state', { 'temper.breaker.state': ['open', 'isolated'] })})`,
              legend: 'open',
            },
          ],
        },
        {
          title: 'Unhealthy checks',
          description: 'Health checks that are currently unhealthy or degraded.',
          kind: 'stat',
          unit: 'short',
          runbook: 'unhealthy_check',
          queries: [
            {
              expr: (n) =>
                `sum(${n.of('temper.health.status', { 'temper.health.status': ['unhealthy', 'degraded'] })})`,
              legend: 'checks',
            },
          ],
        },
        {
          title: 'Exhausted operations',
          description: 'Share of operations that failed after all retries.',
          kind: 'stat',
          unit: 'percentunit',
          runbook: 'persistent_errors',
          queries: [
            {
              expr: (n) => {
                const metric = 'temper.retry.operations';
                const bad = n.of(metric, { [OUTCOME]: 'exhausted' });
                return `sum(rate(${bad}[$__rate_interval])) / clamp_min(sum(rate(${n.of(metric)}[$__rate_interval])), 1e-9)`;
              },
              legend: 'exhausted',
            },
          ],
        },
        {
          title: 'Audit events lost',
          description: 'Events that were dropped or refused in the selected time range. Must be 0.',
          kind: 'stat',
          unit: 'short',
          runbook: 'audit_loss',
          queries: [
            {
              expr: (n) =>
                `sum(increase(${n.of('temper.audit.events', { [OUTCOME]: ['dropped', 'refused'] })}[$__range]))`,
              legend: 'lost',
            },
          ],
        },
      ],
    },
    {
      title: 'Errors and rejections',
      panels: [
        {
          title: 'Errors by category',
          description: 'Handled errors by category and severity.',
          kind: 'timeseries',
          unit: 'cps',
          runbook: 'persistent_errors',
          emptyWhen: 'no error has been handled since the process started',
          queries: [
            {
              expr: rateBy('temper.errors', ['temper.error.category', 'temper.error.severity']),
              legend: '{{temper_error_category}} {{temper_error_severity}}',
            },
          ],
        },
        {
          title: 'Guarded calls by outcome',
          description:
            'Calls through a circuit breaker. Rejected calls never reached the dependency.',
          kind: 'timeseries',
          unit: 'reqps',
          runbook: 'circuit_breaker_open',
          queries: [
            {
              expr: rateBy('temper.breaker.calls', [POLICY, OUTCOME]),
              legend: '{{temper_policy_name}} {{temper_outcome}}',
            },
          ],
        },
        {
          title: 'Call duration, p99',
          description: 'Duration of calls through a circuit breaker.',
          kind: 'timeseries',
          unit: 's',
          runbook: 'slow_response',
          queries: [
            {
              expr: quantileBy(0.99, 'temper.breaker.call.duration', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Rejected by limiters',
          description: 'Requests that a limiter rejected.',
          kind: 'timeseries',
          unit: 'reqps',
          runbook: 'rate_limit_exceeded',
          emptyWhen: 'no limiter has rejected a request since the process started',
          queries: [
            {
              expr: rateBy('temper.ratelimit.requests', [POLICY], { [OUTCOME]: 'rejected' }),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Process',
      panels: [
        {
          title: 'Resident memory',
          description: 'Resident memory of the process.',
          kind: 'timeseries',
          unit: 'bytes',
          runbook: 'high_memory_usage',
          span: 8,
          queries: [{ expr: (n) => n.of('process.memory.usage'), legend: '{{instance}}' }],
        },
        {
          title: 'Memory and CPU utilization',
          description: 'Shares of the limits of the process. Should stay below 80 %.',
          kind: 'timeseries',
          unit: 'percentunit',
          runbook: 'high_memory_usage',
          span: 8,
          queries: [
            { expr: (n) => n.of('process.memory.utilization'), legend: 'memory {{instance}}' },
            { expr: (n) => n.of('process.cpu.utilization'), legend: 'cpu {{instance}}' },
          ],
        },
        {
          title: 'Event loop utilization',
          description:
            'Share of time in which the event loop is busy. Near 100 %, all requests are delayed.',
          kind: 'timeseries',
          unit: 'percentunit',
          runbook: 'event_loop_stall',
          span: 8,
          queries: [{ expr: (n) => n.of('nodejs.eventloop.utilization'), legend: '{{instance}}' }],
        },
        {
          title: 'Health',
          description: 'Status of every health check.',
          kind: 'states',
          unit: 'short',
          runbook: 'unhealthy_check',
          span: 24,
          queries: [
            {
              expr: (n) => {
                const by = n.label('temper.health.status', 'temper.health.check.name');
                const at = (status: string): string =>
                  `max by (${by}) (${n.of('temper.health.status', { 'temper.health.status': status })})`;
                return `${at('degraded')} + 2 * ${at('unhealthy')}`;
              },
              legend: '{{temper_health_check_name}}',
            },
          ],
        },
      ],
    },
  ],
};
