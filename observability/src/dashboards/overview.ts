import { type DashboardDefinition, OUTCOME, POLICY, quantileBy, rateBy } from './panel.ts';

/** Is anything wrong, and where. */
export const OVERVIEW: DashboardDefinition = {
  uid: 'temper-overview',
  title: 'Temper: overview',
  description: 'Is anything wrong, and where. Every panel leads to the dashboard of its package.',
  rows: [
    {
      title: 'Is anything wrong?',
      panels: [
        {
          title: 'Open circuits',
          description: 'Circuits that refuse calls now. Anything but 0 has a runbook.',
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
          description: 'Health checks that are unhealthy or degraded now.',
          kind: 'stat',
          unit: 'short',
          runbook: 'persistent_errors',
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
          description: 'Share of retried operations that failed although they were tried again.',
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
          description: 'Events that were dropped or refused in the range shown. Must be 0.',
          kind: 'stat',
          unit: 'short',
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
      title: 'Where?',
      panels: [
        {
          title: 'Errors by category',
          description: 'Errors handled, by what kind of trouble they are.',
          kind: 'timeseries',
          unit: 'cps',
          runbook: 'persistent_errors',
          emptyWhen: 'No error has been handled since the process started.',
          queries: [
            {
              expr: rateBy('temper.errors', ['temper.error.category', 'temper.error.severity']),
              legend: '{{temper_error_category}} {{temper_error_severity}}',
            },
          ],
        },
        {
          title: 'Guarded calls by outcome',
          description: 'Calls that met a breaker. Rejected ones never reached their dependency.',
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
          description: 'How long guarded calls take.',
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
          title: 'Refused by limiters',
          description: 'Requests that a limiter turned away.',
          kind: 'timeseries',
          unit: 'reqps',
          runbook: 'rate_limit_exceeded',
          emptyWhen: 'No limiter has refused anything since the process started.',
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
      title: 'The process',
      panels: [
        {
          title: 'Resident memory',
          description:
            'Memory that the process holds, and its share of the limit at which it is killed.',
          kind: 'timeseries',
          unit: 'bytes',
          runbook: 'high_memory_usage',
          span: 8,
          queries: [{ expr: (n) => n.of('process.memory.usage'), legend: '{{instance}}' }],
        },
        {
          title: 'Memory and processor',
          description: 'Shares of what the process may use. Above 80 % for minutes is too much.',
          kind: 'timeseries',
          unit: 'percentunit',
          runbook: 'high_memory_usage',
          span: 8,
          queries: [
            { expr: (n) => n.of('process.memory.utilization'), legend: 'memory {{instance}}' },
            { expr: (n) => n.of('process.cpu.utilization'), legend: 'processor {{instance}}' },
          ],
        },
        {
          title: 'Event loop',
          description:
            'Share of the time in which the event loop is busy. Near 1, everything waits.',
          kind: 'timeseries',
          unit: 'percentunit',
          runbook: 'slow_response',
          span: 8,
          queries: [{ expr: (n) => n.of('nodejs.eventloop.utilization'), legend: '{{instance}}' }],
        },
        {
          title: 'Health',
          description: 'Every check, by its status.',
          kind: 'states',
          unit: 'short',
          runbook: 'persistent_errors',
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
