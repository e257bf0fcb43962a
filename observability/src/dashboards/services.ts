import { type DashboardDefinition, levelBy, OUTCOME, POLICY, quantileBy, rateBy } from './panel.ts';

const BY_POLICY_AND_OUTCOME = '{{temper_policy_name}} {{temper_outcome}}';
const unused = (what: string): string => `The service has no ${what}.`;

export const RECOVERY: DashboardDefinition = {
  uid: 'temper-recovery',
  title: 'Temper: recovery',
  description: 'Timeouts, hedges, fallbacks, caches and plans: what saves a call, and how often.',
  rows: [
    {
      title: 'Calls',
      panels: [
        {
          title: 'Timeouts',
          span: 8,
          description: 'Calls under a timeout, by how they ended.',
          kind: 'timeseries',
          unit: 'reqps',
          runbook: 'slow_response',
          queries: [
            {
              expr: rateBy('temper.timeout.calls', [POLICY, OUTCOME]),
              legend: BY_POLICY_AND_OUTCOME,
            },
          ],
        },
        {
          title: 'Timeout limits',
          span: 8,
          description: 'What calls are given; moves where a timeout follows the latencies.',
          kind: 'timeseries',
          unit: 's',
          queries: [
            {
              expr: levelBy('max', 'temper.timeout.limit', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'In flight',
          span: 8,
          description: 'Calls in named pipelines.',
          kind: 'timeseries',
          unit: 'short',
          emptyWhen: unused('registry of named pipelines'),
          queries: [
            {
              expr: levelBy('sum', 'temper.pipeline.in_flight', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        ...(
          [
            ['Hedges', 'temper.hedge.calls', 'hedge'],
            ['Fallbacks', 'temper.fallback.calls', 'fallback policy'],
            ['Cache', 'temper.cache.calls', 'cache policy'],
          ] as const
        ).map(([title, metric, what]) => ({
          title,
          description: 'By how the calls ended.',
          kind: 'timeseries' as const,
          unit: 'reqps',
          span: 8,
          emptyWhen: unused(what),
          queries: [{ expr: rateBy(metric, [POLICY, OUTCOME]), legend: BY_POLICY_AND_OUTCOME }],
        })),
        {
          title: 'Second attempts of hedges',
          description: 'Whether they were made or the budget refused them, and after how long.',
          kind: 'timeseries',
          unit: 'short',
          span: 8,
          emptyWhen: unused('hedge'),
          queries: [
            {
              expr: rateBy('temper.hedge.attempts', [POLICY, OUTCOME]),
              legend: BY_POLICY_AND_OUTCOME,
            },
            {
              expr: levelBy('max', 'temper.hedge.delay', [POLICY]),
              legend: 'delay in s {{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Cached answers',
          description: 'How many are kept, and how many are pushed out to make room.',
          kind: 'timeseries',
          unit: 'short',
          span: 8,
          runbook: 'high_memory_usage',
          emptyWhen: unused('cache policy'),
          queries: [
            {
              expr: levelBy('sum', 'temper.cache.keys', [POLICY]),
              legend: 'kept {{temper_policy_name}}',
            },
            {
              expr: rateBy('temper.cache.evictions', [POLICY]),
              legend: 'evicted/s {{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Requests refused by resilient fetch',
          description: 'Requests beyond its concurrency limit.',
          kind: 'timeseries',
          unit: 'reqps',
          span: 8,
          runbook: 'rate_limit_exceeded',
          emptyWhen: unused('resilient fetch'),
          queries: [
            { expr: rateBy('temper.fetch.rejected', [POLICY]), legend: '{{temper_policy_name}}' },
          ],
        },
      ],
    },
    {
      title: 'Plans',
      panels: [
        {
          title: 'Executions by outcome',
          description: 'Operations under a recovery plan.',
          kind: 'timeseries',
          unit: 'ops',
          emptyWhen: unused('recovery plan'),
          queries: [
            {
              expr: rateBy('temper.recovery.executions', ['temper.recovery.strategy', OUTCOME]),
              legend: '{{temper_recovery_strategy}} {{temper_outcome}}',
            },
          ],
        },
        {
          title: 'Execution duration, p99',
          description: 'With every attempt, wait and fallback of the plan.',
          kind: 'timeseries',
          unit: 's',
          runbook: 'slow_response',
          emptyWhen: unused('recovery plan'),
          queries: [
            {
              expr: quantileBy(0.99, 'temper.recovery.execution.duration', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Forecast and demand',
          description:
            'The failure ratio that the trend leads to, and the calls under way on average: what a scaler can follow.',
          kind: 'timeseries',
          unit: 'short',
          emptyWhen: unused('recovery plan'),
          queries: [
            {
              expr: levelBy('max', 'temper.recovery.failure.forecast', [POLICY]),
              legend: 'forecast {{temper_policy_name}}',
            },
            {
              expr: levelBy('sum', 'temper.recovery.demand', [POLICY]),
              legend: 'demand {{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Reloads',
          description:
            'Pipelines reloaded while running; a rejected one left the old one in place.',
          kind: 'timeseries',
          unit: 'short',
          emptyWhen: unused('registry of named pipelines'),
          queries: [
            {
              expr: rateBy('temper.pipeline.reloads', [POLICY, OUTCOME]),
              legend: BY_POLICY_AND_OUTCOME,
            },
          ],
        },
        {
          title: 'Faults injected',
          description:
            'What chaos policies did. Anything here outside of a rehearsal is a mistake.',
          kind: 'timeseries',
          unit: 'ops',
          emptyWhen: unused('chaos policy'),
          queries: [
            {
              expr: rateBy('temper.chaos.injections', [POLICY, 'temper.chaos.kind']),
              legend: '{{temper_policy_name}} {{temper_chaos_kind}}',
            },
          ],
        },
      ],
    },
  ],
};

export const AUDIT: DashboardDefinition = {
  uid: 'temper-audit',
  title: 'Temper: audit log',
  description: 'Whether everything that happened is written down.',
  rows: [
    {
      title: 'Events',
      panels: [
        {
          title: 'Events by outcome',
          description: 'Stored is good. Refused, degraded and dropped are not.',
          kind: 'timeseries',
          unit: 'cps',
          queries: [
            {
              expr: rateBy('temper.audit.events', [POLICY, OUTCOME]),
              legend: BY_POLICY_AND_OUTCOME,
            },
          ],
        },
        {
          title: 'Waiting to be durable',
          description: 'Events that are not yet on disk. A rise is a disk that does not keep up.',
          kind: 'timeseries',
          unit: 'short',
          runbook: 'high_memory_usage',
          queries: [
            {
              expr: levelBy('sum', 'temper.audit.pending', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Append duration',
          description: 'Until the event is durable.',
          kind: 'timeseries',
          unit: 's',
          queries: [0.5, 0.99].map((quantile) => ({
            expr: quantileBy(quantile, 'temper.audit.append.duration', [POLICY]),
            legend: `p${quantile * 100} {{temper_policy_name}}`,
          })),
        },
        {
          title: 'Sink errors',
          description: 'Writes that failed, by sink.',
          kind: 'timeseries',
          unit: 'cps',
          emptyWhen: 'No sink has failed since the process started.',
          queries: [
            {
              expr: rateBy('temper.audit.sink.errors', [POLICY, 'temper.audit.sink']),
              legend: '{{temper_policy_name}} {{temper_audit_sink}}',
            },
          ],
        },
      ],
    },
  ],
};

export const HEALTH: DashboardDefinition = {
  uid: 'temper-health',
  title: 'Temper: health and shutdown',
  description: 'Checks, how long they take, and how instances end.',
  rows: [
    {
      title: 'Checks',
      panels: [
        {
          title: 'Probes by status',
          description: 'What the checks found.',
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
          description: 'A check that comes close to its timeout is about to fail.',
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
          title: 'In flight at the end',
          description: 'Work that a shutdown waits for.',
          kind: 'timeseries',
          unit: 'short',
          queries: [
            {
              expr: levelBy('sum', 'temper.shutdown.in_flight', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Shutdown duration, p99',
          description: 'From the signal to the end.',
          kind: 'timeseries',
          unit: 's',
          emptyWhen: 'No instance has been scraped between its shutdown and its end.',
          queries: [
            {
              expr: quantileBy(0.99, 'temper.shutdown.duration', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Handlers by outcome',
          description: 'Handlers that timed out or failed lost work.',
          kind: 'timeseries',
          unit: 'short',
          emptyWhen: 'No instance has been scraped between its handlers and its end.',
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
