import type { Runbook } from '../runbook.ts';

export const SLOW_RESPONSE: Runbook = {
  id: 'slow_response',
  title: 'Slow response',
  description: 'Operations take longer than expected.',
  symptoms: [
    'The 99th percentile of an operation exceeds its objective',
    'Attempt timeouts, and responses marked as degraded',
    'Slow completions in editors',
  ],
  rootCauses: [
    'The package registry, or the network to it, is slow',
    'Very large programs in code generation or type inference',
    'The event loop is blocked by synchronous work',
    'Calls that wait at a limiter',
  ],
  steps: [
    {
      action: 'Find the slow operation and when it began',
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
      action: 'Open a slow trace and find the span that takes the time',
      expect:
        'A long attempt points to the dependency, a gap between attempts to the backoff, a ratelimit span to a wait at a limiter.',
      references: [{ kind: 'endpoint', method: 'GET', path: '/v1/traces' }],
    },
    {
      action: 'Check the health of the subsystem and of the event loop',
      references: [{ kind: 'endpoint', method: 'GET', path: '/v1/health' }],
    },
    {
      action: 'Check whether calls wait at a limiter',
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
      action: 'Check whether attempts time out, and compare the timeout with normal durations',
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
    'Derive attempt timeouts from measured percentiles, and deadlines from how long the caller can wait',
    'Cache responses of the registry, and report their age',
    'Keep the event-loop delay check enabled',
    'Alert on the objective of each operation, not on averages',
  ],
  alerts: ['TemperLatencyHigh', 'TemperRegistryLatencyHigh', 'TemperCpuHigh'],
};
