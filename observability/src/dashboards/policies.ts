import { type DashboardDefinition, levelBy, OUTCOME, POLICY, quantileBy, rateBy } from './panel.ts';

const BY_POLICY_AND_OUTCOME = '{{temper_policy_name}} {{temper_outcome}}';

export const RETRY: DashboardDefinition = {
  uid: 'temper-retry',
  title: 'Temper: retry',
  description: 'What is tried again, why, and whether it helps.',
  rows: [
    {
      title: 'Operations',
      panels: [
        {
          title: 'Operations by outcome',
          description: '"recovered" was saved by a retry; "exhausted" failed all the same.',
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
          description: 'From the first attempt to the end, waits included.',
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
          description: 'Failed attempts by what they failed with.',
          kind: 'timeseries',
          unit: 'ops',
          runbook: 'persistent_errors',
          emptyWhen: 'No attempt has failed since the process started.',
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
          description: '1 is no retry at all. A rise is load that the retries add.',
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
          title: 'Wait between attempts, p90',
          description: 'Backoff, jitter and Retry-After together.',
          kind: 'timeseries',
          unit: 's',
          emptyWhen: 'Nothing has been retried in the range.',
          queries: [
            {
              expr: quantileBy(0.9, 'temper.retry.delay', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Budget',
          description: 'Retries that the shared budget would allow now. At 0 retries are refused.',
          kind: 'timeseries',
          unit: 'short',
          emptyWhen: 'No policy of the service has a budget.',
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
  description: 'Which circuits are open, what opened them, and what they keep away.',
  rows: [
    {
      title: 'Circuits',
      panels: [
        {
          title: 'State',
          description: '0 closed, 1 half-open, 2 open, 3 isolated by hand.',
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
            'Rejected calls never reached their dependency; ignored ones say nothing about it.',
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
          description: 'Changes of state. A circuit that flaps has thresholds that do not fit.',
          kind: 'timeseries',
          unit: 'short',
          runbook: 'circuit_breaker_open',
          emptyWhen: 'No circuit has changed its state since the process started.',
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
          description: 'What the breaker sees in its window.',
          kind: 'timeseries',
          unit: 'percentunit',
          runbook: 'circuit_breaker_open',
          emptyWhen:
            'No breaker of the service judges by rates; those that count failures in a row have none.',
          queries: [
            {
              expr: levelBy('max', 'temper.breaker.failure.ratio', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Slow calls',
          description: 'Share of calls that took longer than the breaker tolerates.',
          kind: 'timeseries',
          unit: 'percentunit',
          runbook: 'slow_response',
          emptyWhen: 'No breaker of the service judges by slow calls.',
          queries: [
            {
              expr: levelBy('max', 'temper.breaker.slow_call.ratio', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Call duration',
          description: 'How long the calls take that are made.',
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
  title: 'Temper: limits',
  description: 'Who is limited, how long calls wait, and what is left.',
  rows: [
    {
      title: 'Requests',
      panels: [
        {
          title: 'Requests by outcome',
          description: 'What the limiters answered.',
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
          description: 'What could be taken at once, beside the limit.',
          kind: 'timeseries',
          unit: 'short',
          runbook: 'rate_limit_exceeded',
          queries: [
            {
              expr: levelBy('min', 'temper.ratelimit.available', [POLICY]),
              legend: 'left {{temper_policy_name}}',
            },
            {
              expr: levelBy('max', 'temper.ratelimit.limit', [POLICY]),
              legend: 'limit {{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Wait for a turn, p99',
          description: 'Only calls that waited are in it.',
          kind: 'timeseries',
          unit: 's',
          runbook: 'slow_response',
          emptyWhen: 'No call has waited in the range.',
          queries: [
            {
              expr: quantileBy(0.99, 'temper.ratelimit.wait.duration', [POLICY]),
              legend: '{{temper_policy_name}}',
            },
          ],
        },
        {
          title: 'Queued',
          description: 'Calls that wait for their turn.',
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
          description: 'Calls that hold a place of a concurrency limit.',
          kind: 'timeseries',
          unit: 'short',
          span: 6,
          emptyWhen: 'The service has no concurrency limit.',
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
      title: 'Keys and the shared store',
      panels: [
        {
          title: 'Keys',
          description: 'Keys that are remembered, and those pushed out to make room.',
          kind: 'timeseries',
          unit: 'short',
          emptyWhen: 'No limit of the service is kept by key.',
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
            'The shared store did not answer. Limits then hold locally, or as configured.',
          kind: 'timeseries',
          unit: 'ops',
          emptyWhen: 'No limit is shared over a store, or the store has never failed.',
          queries: [
            {
              expr: rateBy('temper.ratelimit.store.errors', [POLICY, 'error.type']),
              legend: '{{temper_policy_name}} {{error_type}}',
            },
          ],
        },
        {
          title: 'Answered without the store',
          description:
            'Requests that were decided locally, or let through, or refused, as it was away.',
          kind: 'timeseries',
          unit: 'reqps',
          emptyWhen: 'No limit is shared over a store, or the store has never failed.',
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
          title: 'Throttled by ourselves',
          description:
            'Share of calls that a client-side throttle turns away before they are made.',
          kind: 'timeseries',
          unit: 'percentunit',
          runbook: 'rate_limit_exceeded',
          emptyWhen: 'The service has no client-side throttle.',
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
