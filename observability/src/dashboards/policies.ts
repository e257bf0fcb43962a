import { type DashboardDefinition, levelBy, OUTCOME, POLICY, quantileBy, rateBy } from './panel.ts';

const BY_POLICY_AND_OUTCOME = '{{temper_policy_name}} {{temper_outcome}}';

export const RETRY: DashboardDefinition = {
  uid: 'temper-retry',
  title: 'Temper: retry',
  description: 'Retries, their causes and their effect.',
  rows: [
    {
      title: 'Operations',
      panels: [
        {
          title: 'Operations by outcome',
          description: '"recovered" succeeded after a retry; "exhausted" failed after all retries.',
          kind: 'timeseries',
          unit: 'ops',
          runbook: 'persistent_errors',
          queries: [
            {
              expr: rateBy('temper.retry.operations', [POLICY, OUTCOME]),
              legend: BY_POLICY_AND_OUTCOME,
            },
          ],
        },
        {
          title: 'Operation duration',
          description: 'From the first attempt to the end, delays included.',
          kind: 'timeseries',
          unit: 's',
          runbook: 'slow_response',
          queries: [0.5, 0.99].map((quantile) => ({
            expr: quantileBy(quantile, 'temper.retry.operation.duration', [POLICY]),
            legend: `p${quantile * 100} {{temper_policy_name}}`,
          })),
        },
      ],
    },
    {
      title: 'Attempts',
      panels: [
        {
          title: 'Attempts by error',
          description: 'Failed attempts by error type.',
          kind: 'timeseries',
          unit: 'ops',
          runbook: 'persistent_errors',
          emptyWhen: 'no attempt has failed since the process started',
          queries: [
            {
              expr: rateBy('temper.retry.attempts', [POLICY, 'error.type'], {
                [OUTCOME]: 'failure',
              }),
              legend: '{{temper_policy_name}} {{error_type}}',
            },
          ],
        },
        {
          title: 'Attempts per operation',
          description: '1 means no retries. Higher values are additional load from retries.',
          kind: 'timeseries',
          unit: 'short',
          queries: [
            {
              expr: (n) => {
                const by = n.label('temper.retry.attempts', POLICY);
                const rate = (metric: string): string =>
                  `sum by (${by}) (rate(${n.of(metric)}[$__rate_interval]))`;
                return `${rate('temper.retry.attempts')} / ${rate('temper.retry.operations')}`;
              },
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Delay between attempts, p90',
          description: 'Includes backoff, jitter and Retry-After.',
          kind: 'timeseries',
          unit: 's',
          emptyWhen: 'nothing was retried in the selected time range',
          queries: [
            {
              expr: quantileBy(0.9, 'temper.retry.delay', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Retry budget',
          description: 'Retries that the shared budget currently allows. At 0 no retries are made.',
          kind: 'timeseries',
          unit: 'short',
          needs: 'retry-budget',
          queries: [
            {
              expr: levelBy('min', 'temper.retry.budget.available', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
      ],
    },
  ],
};

export const BREAKER: DashboardDefinition = {
  uid: 'temper-breaker',
  title: 'Temper: circuit breakers',
  description: 'States of the circuits, failures of the dependencies, and rejected calls.',
  rows: [
    {
      title: 'Circuits',
      panels: [
        {
          title: 'State',
          description:
            'State of each circuit: closed, half-open, open, or isolated by an operator.',
          kind: 'states',
          unit: 'short',
          span: 24,
          runbook: 'circuit_breaker_open',
          queries: [
            {
              expr: (n) => {
                const metric = 'temper.breaker.state';
                const at = (state: string): string =>
                  `max by (${n.label(metric, POLICY)}) (${n.of(metric, { 'temper.breaker.state': state })})`;
                return `${at('half-open')} + 2 * ${at('open')} + 3 * ${at('isolated')}`;
              },
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Calls by outcome',
          description:
            'Rejected calls never reached the dependency; ignored calls do not count as success or failure.',
          kind: 'timeseries',
          unit: 'reqps',
          queries: [
            {
              expr: rateBy('temper.breaker.calls', [POLICY, OUTCOME]),
              legend: BY_POLICY_AND_OUTCOME,
            },
          ],
        },
        {
          title: 'Transitions',
          description: 'State changes. If a circuit flaps, review its thresholds.',
          kind: 'timeseries',
          unit: 'short',
          runbook: 'circuit_breaker_open',
          emptyWhen: 'no circuit has changed its state since the process started',
          queries: [
            {
              expr: (n) => {
                const metric = 'temper.breaker.transitions';
                const by = [POLICY, 'temper.breaker.from', 'temper.breaker.to']
                  .map((one) => n.label(metric, one))
                  .join(', ');
                return `sum by (${by}) (increase(${n.of(metric)}[$__rate_interval]))`;
              },
              legend: '{{temper_policy_name}} {{temper_breaker_from}} → {{temper_breaker_to}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Dependencies',
      panels: [
        {
          title: 'Failure ratio',
          description: 'Share of failures in the window of the breaker.',
          kind: 'timeseries',
          unit: 'percentunit',
          runbook: 'circuit_breaker_open',
          needs: 'failure-rate',
          queries: [
            {
              expr: levelBy('max', 'temper.breaker.failure.ratio', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Slow calls',
          description: 'Share of calls above the slow-call threshold of the breaker.',
          kind: 'timeseries',
          unit: 'percentunit',
          runbook: 'slow_response',
          needs: 'slow-calls',
          queries: [
            {
              expr: levelBy('max', 'temper.breaker.slow_call.ratio', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Call duration',
          description: 'Duration of the calls that were not rejected.',
          kind: 'timeseries',
          unit: 's',
          runbook: 'slow_response',
          queries: [0.5, 0.99].map((quantile) => ({
            expr: quantileBy(quantile, 'temper.breaker.call.duration', [POLICY]),
            legend: `p${quantile * 100} {{temper_policy_name}}`,
          })),
        },
      ],
    },
  ],
};

export const RATELIMIT: DashboardDefinition = {
  uid: 'temper-ratelimit',
  title: 'Temper: rate limits',
  description: 'Rejected requests, queueing, and remaining capacity of the limiters.',
  rows: [
    {
      title: 'Requests',
      panels: [
        {
          title: 'Requests by outcome',
          description: 'Decisions of the limiters.',
          kind: 'timeseries',
          unit: 'reqps',
          runbook: 'rate_limit_exceeded',
          queries: [
            {
              expr: rateBy('temper.ratelimit.requests', [POLICY, OUTCOME]),
              legend: BY_POLICY_AND_OUTCOME,
            },
          ],
        },
        {
          title: 'Available',
          description: 'Requests that a limiter would currently allow, and its limit.',
          kind: 'timeseries',
          unit: 'short',
          runbook: 'rate_limit_exceeded',
          queries: [
            {
              expr: levelBy('min', 'temper.ratelimit.available', [POLICY]),
              legend: 'available {{temper_policy_name}}',
            },
            {
              expr: levelBy('max', 'temper.ratelimit.limit', [POLICY]),
              legend: 'limit {{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Queue wait, p99',
          description: 'Time in the queue of a limiter. Includes only calls that waited.',
          kind: 'timeseries',
          unit: 's',
          runbook: 'slow_response',
          emptyWhen: 'no call waited in the selected time range',
          queries: [
            {
              expr: quantileBy(0.99, 'temper.ratelimit.wait.duration', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Queued',
          description: 'Calls in the queue of a limiter.',
          kind: 'timeseries',
          unit: 'short',
          span: 6,
          queries: [
            {
              expr: levelBy('sum', 'temper.ratelimit.queued', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'In flight',
          description: 'Calls that hold a permit of a concurrency limiter.',
          kind: 'timeseries',
          unit: 'short',
          span: 6,
          needs: 'concurrency',
          queries: [
            {
              expr: levelBy('sum', 'temper.ratelimit.in_flight', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
      ],
    },
    {
      title: 'Keys and shared store',
      panels: [
        {
          title: 'Keys',
          description: 'Keys in memory, and keys evicted because the maximum was reached.',
          kind: 'timeseries',
          unit: 'short',
          needs: 'keys',
          queries: [
            {
              expr: levelBy('sum', 'temper.ratelimit.keys', [POLICY]),
              legend: 'keys {{temper_policy_name}}',
            },
            {
              expr: rateBy('temper.ratelimit.evictions', [POLICY]),
              legend: 'evicted/s {{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Store errors',
          description:
            'Failed calls of the shared store. Limits then apply per process, or as configured.',
          kind: 'timeseries',
          unit: 'ops',
          runbook: 'store_unreachable',
          needs: 'shared-store',
          emptyWhen: 'the store has never failed',
          queries: [
            {
              expr: rateBy('temper.ratelimit.store.errors', [POLICY, 'error.type']),
              legend: '{{temper_policy_name}} {{error_type}}',
            },
          ],
        },
        {
          title: 'Decisions without the store',
          description:
            'Requests that were decided locally, allowed or rejected because the store was unavailable.',
          kind: 'timeseries',
          unit: 'reqps',
          needs: 'shared-store',
          emptyWhen: 'the store has never failed',
          queries: [
            {
              expr: rateBy('temper.ratelimit.store.fallbacks', [
                POLICY,
                'temper.ratelimit.fallback',
              ]),
              legend: '{{temper_policy_name}} {{temper_ratelimit_fallback}}',
            },
          ],
        },
        {
          title: 'Client-side throttling',
          description: 'Share of calls that a client-side throttle rejects before they are made.',
          kind: 'timeseries',
          unit: 'percentunit',
          runbook: 'rate_limit_exceeded',
          needs: 'throttle',
          queries: [
            {
              expr: levelBy('max', 'temper.ratelimit.rejection.ratio', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
      ],
    },
  ],
};
