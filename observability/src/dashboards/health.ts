import { type DashboardDefinition, levelBy, OUTCOME, POLICY, quantileBy, rateBy } from './panel.ts';

const BY_POLICY_AND_OUTCOME = '{{temper_policy_name}} {{temper_outcome}}';

/** The dashboard of health checks and shutdowns. */
export const HEALTH: DashboardDefinition = {
  uid: 'temper-health',
  title: 'Temper: health and shutdown',
  description: 'Health checks and graceful shutdowns.',
  rows: [
    {
      title: 'Checks',
      panels: [
        {
          title: 'Probes by status',
          description: 'Results of the health checks.',
          kind: 'timeseries',
          unit: 'cps',
          queries: [
            {
              expr: rateBy('temper.health.checks', [
                'temper.health.check.name',
                'temper.health.status',
              ]),
              legend: '{{temper_health_check_name}} {{temper_health_status}}',
            },
          ],
        },
        {
          title: 'Probe duration, p99',
          description: 'Duration of the health checks. A check near its timeout is about to fail.',
          kind: 'timeseries',
          unit: 's',
          runbook: 'slow_response',
          queries: [
            {
              expr: quantileBy(0.99, 'temper.health.check.duration', ['temper.health.check.name']),
              legend: '{{temper_health_check_name}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Shutdown',
      panels: [
        {
          title: 'In-flight requests',
          description:
            'Requests and tracked promises that a shutdown would wait for, and shutdowns that have begun and not ended.',
          kind: 'timeseries',
          unit: 'short',
          queries: [
            {
              expr: levelBy('sum', 'temper.shutdown.in_flight', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
            {
              expr: levelBy('sum', 'temper.shutdown.stopping', [POLICY]),
              legend: 'stopping {{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Shutdown duration, p99',
          description: 'Time from the signal to the end of the shutdown.',
          kind: 'timeseries',
          unit: 's',
          needs: 'push',
          queries: [
            {
              expr: quantileBy(0.99, 'temper.shutdown.duration', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Handlers by outcome',
          description:
            'Shutdown handlers by outcome. Work may be lost when one fails or times out.',
          kind: 'timeseries',
          unit: 'short',
          queries: [
            {
              expr: levelBy('sum', 'temper.shutdown.handlers', [POLICY, OUTCOME]),
              legend: BY_POLICY_AND_OUTCOME,
            },
          ],
        },
      ],
    },
  ],
};
