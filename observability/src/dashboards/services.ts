import { type DashboardDefinition, levelBy, OUTCOME, POLICY, quantileBy, rateBy } from './panel.ts';

const BY_POLICY_AND_OUTCOME = '{{temper_policy_name}} {{temper_outcome}}';

/** How many instances are in which mode of a forecast, and how far off it is. */
const modeAndError = (of: 'scaling' | 'limit') => {
  const mode = `temper.forecast.${of}.mode` as const;
  return [
    {
      expr: levelBy('sum', mode, [POLICY, mode]),
      legend: `{{temper_policy_name}} {{temper_forecast_${of}_mode}}`,
    },
    {
      expr: levelBy('max', `temper.forecast.${of}.error`, [POLICY]),
      legend: 'error {{temper_policy_name}}',
    },
  ];
};

export const RECOVERY: DashboardDefinition = {
  uid: 'temper-recovery',
  title: 'Temper: recovery',
  description: 'Timeouts, hedges, fallbacks, caches and recovery plans.',
  rows: [
    {
      title: 'Calls',
      panels: [
        {
          title: 'Timeouts',
          span: 8,
          description: 'Calls with a timeout, by outcome.',
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
          description: 'Timeout of the calls. Changes over time for an adaptive timeout.',
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
          needs: 'pipelines',
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
            ['Fallbacks', 'temper.fallback.calls', 'fallback'],
            ['Cache', 'temper.cache.calls', 'cache'],
          ] as const
        ).map(([title, metric, needs]) => ({
          title,
          description: 'Calls by outcome.',
          kind: 'timeseries' as const,
          unit: 'reqps',
          span: 8,
          needs,
          queries: [{ expr: rateBy(metric, [POLICY, OUTCOME]), legend: BY_POLICY_AND_OUTCOME }],
        })),
        {
          title: 'Hedged attempts',
          description:
            'Additional attempts that were started or refused by the budget, and the hedge delay.',
          kind: 'timeseries',
          unit: 'short',
          span: 8,
          needs: 'hedge',
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
          title: 'Cut off by a limit that follows the latencies',
          description:
            'Share of the observed calls of which only is known that they take longer. While it is above its quantile, the limit rises.',
          kind: 'timeseries',
          unit: 'percentunit',
          span: 8,
          queries: [
            {
              needs: 'adaptive-timeout',
              expr: levelBy('max', 'temper.timeout.cut_off', [POLICY]),
              legend: 'timeout {{temper_policy_name}}',
            },
            {
              needs: 'adaptive-hedge',
              expr: levelBy('max', 'temper.hedge.cut_off', [POLICY]),
              legend: 'hedge {{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Cache size',
          description: 'Cached answers, and answers evicted because the maximum was reached.',
          kind: 'timeseries',
          unit: 'short',
          span: 8,
          runbook: 'high_memory_usage',
          needs: 'cache',
          queries: [
            {
              expr: levelBy('sum', 'temper.cache.keys', [POLICY]),
              legend: 'cached {{temper_policy_name}}',
            },
            {
              expr: rateBy('temper.cache.evictions', [POLICY]),
              legend: 'evicted/s {{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Requests rejected by resilient fetch',
          description: 'Requests above its concurrency limit.',
          kind: 'timeseries',
          unit: 'reqps',
          span: 8,
          runbook: 'rate_limit_exceeded',
          needs: 'fetch',
          queries: [
            { expr: rateBy('temper.fetch.rejected', [POLICY]), legend: '{{temper_policy_name}}' },
          ],
        },
        {
          title: 'Bounds of HTTP exchanges',
          description:
            'Connections and bodies that took too long, request bodies too large to be sent again, origins that were dropped, and bodies that broke.',
          kind: 'timeseries',
          unit: 'ops',
          span: 8,
          needs: 'fetch',
          queries: [
            {
              expr: rateBy('temper.fetch.limits', [POLICY, 'temper.fetch.limit']),
              legend: '{{temper_fetch_limit}} {{temper_policy_name}}',
            },
            {
              expr: rateBy('temper.fetch.resumptions', [POLICY, 'temper.outcome']),
              legend: 'body resumed: {{temper_outcome}} {{temper_policy_name}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Recovery plans',
      panels: [
        {
          title: 'Executions by outcome',
          description: 'Operations with a recovery plan.',
          kind: 'timeseries',
          unit: 'ops',
          needs: 'plan',
          queries: [
            {
              expr: rateBy('temper.recovery.executions', ['temper.recovery.strategy', OUTCOME]),
              legend: '{{temper_recovery_strategy}} {{temper_outcome}}',
            },
          ],
        },
        {
          title: 'Execution duration, p99',
          description: 'Includes every attempt, delay and fallback of the plan.',
          kind: 'timeseries',
          unit: 's',
          runbook: 'slow_response',
          needs: 'plan',
          queries: [
            {
              expr: quantileBy(0.99, 'temper.recovery.execution.duration', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Predicted failures',
          description:
            'Probability that an incident of the dependency is under way, of each failure predictor.',
          kind: 'timeseries',
          unit: 'percentunit',
          runbook: 'slow_response',
          needs: 'predictor',
          queries: [
            {
              expr: levelBy('max', 'temper.forecast.failure.probability', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
            {
              expr: levelBy('max', 'temper.forecast.failure.warning', [POLICY]),
              legend: 'warning {{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Signals above their usual',
          description:
            'Standard deviations above the usual, by signal. A predictor warns from 8.4.',
          kind: 'timeseries',
          unit: 'short',
          needs: 'predictor',
          queries: [
            {
              expr: levelBy('max', 'temper.forecast.failure.score', [
                POLICY,
                'temper.forecast.signal',
              ]),
              legend: '{{temper_policy_name}} {{temper_forecast_signal}}',
            },
          ],
        },
        {
          title: 'Changes of settings',
          description:
            'What autotuners propose, and what became of the changes that they made: on trial, kept, undone or not applied.',
          kind: 'timeseries',
          unit: 'short',
          needs: 'autotuner',
          queries: [
            {
              expr: levelBy('max', 'temper.forecast.tuning.proposals', [POLICY]),
              legend: 'proposed {{temper_policy_name}}',
            },
            {
              expr: rateBy('temper.forecast.tuning.changes', [
                POLICY,
                'temper.forecast.tuning.change',
              ]),
              legend: '{{temper_policy_name}} {{temper_forecast_tuning_change}}',
            },
          ],
        },
        {
          title: 'Desired replicas',
          description:
            'By the scaling signals: the sum of shares of instances. Of signals of the scope service, the sum is a multiple; see the setting scaling of the mixin.',
          kind: 'timeseries',
          unit: 'short',
          needs: 'scaling',
          queries: (['desired', 'lower', 'upper'] as const).map((bound) => ({
            expr: levelBy('sum', `temper.forecast.replicas.${bound}`, [POLICY]),
            legend: `${bound} {{temper_policy_name}}`,
          })),
        },
        {
          title: 'Forecasts of the demand',
          description:
            'Instances by mode of their scaling signal, and the mean error of the forecasts: from 1.1 on they are not used.',
          kind: 'timeseries',
          unit: 'short',
          needs: 'scaling',
          queries: modeAndError('scaling'),
        },
        {
          title: 'Limits by forecast',
          description:
            'What predictive limits allow per window, and what is usual at this time. Of instances of one limit, the largest.',
          kind: 'timeseries',
          unit: 'short',
          needs: 'predictive-limit',
          queries: (['value', 'expected'] as const).map((what) => ({
            expr: levelBy('max', `temper.forecast.limit.${what}`, [POLICY]),
            legend: `${what === 'value' ? 'limit' : what} {{temper_policy_name}}`,
          })),
        },
        {
          title: 'Forecasts of the limits',
          description:
            'Instances by mode of their predictive limit, and the mean error of the forecasts.',
          kind: 'timeseries',
          unit: 'short',
          needs: 'predictive-limit',
          queries: modeAndError('limit'),
        },
        {
          title: 'Reloads',
          description:
            'Reloads of running pipelines. After a rejected reload the previous definition stays active.',
          kind: 'timeseries',
          unit: 'short',
          needs: 'pipelines',
          queries: [
            {
              expr: rateBy('temper.pipeline.reloads', [POLICY, OUTCOME]),
              legend: BY_POLICY_AND_OUTCOME,
            },
          ],
        },
        {
          title: 'Injected faults',
          description:
            'Injections by chaos policies. Must be empty outside of planned experiments.',
          kind: 'timeseries',
          unit: 'ops',
          needs: 'chaos',
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
  description: 'Events by outcome, durability and sink errors.',
  rows: [
    {
      title: 'Events',
      panels: [
        {
          title: 'Events by outcome',
          description:
            'Every event should be stored. Refused, degraded and dropped events are a problem.',
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
          title: 'Pending events',
          description:
            'Events that are not durable yet. A steady rise means that the disk is too slow.',
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
          description: 'Time until an event is durable.',
          kind: 'timeseries',
          unit: 's',
          queries: [0.5, 0.99].map((quantile) => ({
            expr: quantileBy(quantile, 'temper.audit.append.duration', [POLICY]),
            legend: `p${quantile * 100} {{temper_policy_name}}`,
          })),
        },
        {
          title: 'Sink errors',
          description: 'Failed writes by sink.',
          kind: 'timeseries',
          unit: 'cps',
          emptyWhen: 'no sink has failed since the process started',
          queries: [
            {
              expr: rateBy('temper.audit.sink.errors', [POLICY, 'temper.audit.sink']),
              legend: '{{temper_policy_name}} {{temper_audit_sink}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Shipping',
      panels: [
        {
          title: 'Shipping lag',
          description:
            'Events that a target has not stored yet. A steady rise means that it is too slow or down.',
          kind: 'timeseries',
          unit: 'short',
          runbook: 'audit_loss',
          needs: 'shipping',
          queries: [
            {
              expr: levelBy('sum', 'temper.audit.ship.lag', [POLICY, 'temper.audit.target']),
              legend: '{{temper_policy_name}} {{temper_audit_target}}',
            },
          ],
        },
        {
          title: 'Shipping errors',
          description: 'Failures by target. A batch that failed is sent again.',
          kind: 'timeseries',
          unit: 'cps',
          runbook: 'audit_loss',
          needs: 'shipping',
          queries: [
            {
              expr: rateBy('temper.audit.ship.errors', [POLICY, 'temper.audit.target']),
              legend: '{{temper_policy_name}} {{temper_audit_target}}',
            },
          ],
        },
      ],
    },
  ],
};
