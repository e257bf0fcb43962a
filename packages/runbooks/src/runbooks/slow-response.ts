import type { Runbook } from '../runbook.ts';

export const SLOW_RESPONSE: Runbook = {
  id: 'slow_response',
  title: 'Slow response',
  description: 'Operations take longer than they should.',
  symptoms: [
    'The 99th percentile of an operation above its objective',
    'Timeouts of attempts, and answers that are marked as degraded',
    'Editors that wait for completions',
  ],
  rootCauses: [
    'The package registry, or the network to it, is slow',
    'Very large programs in code generation or inference',
    'The event loop is blocked by work that does not yield',
    'Calls that wait for their turn at a limiter',
  ],
  steps: [
    {
      action: 'Find the slow operation, and since when',
      references: [
        { kind: 'panel', dashboard: 'temper-parsercraft', panel: 'Operation duration, p99' },
        {
          kind: 'metric',
          name: 'temper.breaker.call.duration',
          query:
            'histogram_quantile(0.99, sum by (le, temper_policy_name) (rate(temper_breaker_call_duration_bucket[5m])))',
        },
      ],
    },
    {
      action: 'Open a slow trace and see which span takes the time',
      expect:
        'A long attempt is the dependency; a long gap between attempts is the backoff; a ratelimit span is a wait.',
      references: [{ kind: 'endpoint', method: 'GET', path: '/v1/traces' }],
    },
    {
      action: 'Check the health of the subsystem and of the event loop',
      references: [{ kind: 'endpoint', method: 'GET', path: '/v1/health' }],
    },
    {
      action: 'See whether calls wait at a limiter',
      references: [
        {
          kind: 'metric',
          name: 'temper.ratelimit.wait.duration',
          query:
            'histogram_quantile(0.99, sum by (le, temper_policy_name) (rate(temper_ratelimit_wait_duration_bucket[5m])))',
        },
      ],
    },
    {
      action:
        'See whether attempts run into their timeout, and compare the timeout with what is normal',
      references: [
        {
          kind: 'metric',
          name: 'temper.timeout.calls',
          query:
            'sum by (temper_policy_name, temper_outcome) (rate(temper_timeout_calls_total[5m]))',
        },
      ],
    },
  ],
  prevention: [
    'Set attempt timeouts from measured percentiles, and deadlines from what the caller can wait',
    'Cache what the registry answers, and tell its age',
    'Keep the event-loop delay check switched on',
    'Alert on the objective of each operation, not on an average',
  ],
  alerts: ['TemperLatencyHigh', 'TemperRegistryLatencyHigh', 'TemperCpuHigh'],
};
