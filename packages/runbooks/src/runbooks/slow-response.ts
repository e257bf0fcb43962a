import type { Runbook } from '../runbook.ts';
import { SETUP } from '../setup.ts';

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
  setup: SETUP,
  steps: [
    {
      action: 'Find the dependency whose calls take more than one second at the 99th percentile',
      run: `query 'histogram_quantile(0.99, sum by (le, temper_policy_name) (rate(temper_breaker_call_duration_bucket[5m]))) > 1'`,
      good: '(nothing)',
      bad: 'registry_fetch N',
      references: [
        { kind: 'metric', name: 'temper.breaker.call.duration' },
        { kind: 'panel', dashboard: 'temper-parsercraft', panel: 'Operation duration, p99' },
      ],
    },
    {
      action: 'Check whether attempts time out',
      run: `query 'sum by (temper_policy_name) (increase(temper_timeout_calls_total{temper_outcome="timeout"}[5m])) > 0'`,
      good: '(nothing)',
      bad: 'fetch_package_attempt N',
      references: [{ kind: 'metric', name: 'temper.timeout.calls' }],
    },
    {
      action: 'Find the spans of the last traces that took more than one second',
      expect:
        'A long GET points to the dependency, a gap between attempts to the backoff, a ratelimit span to a wait at a limiter.',
      run: `ask '/v1/traces?limit=200' | jq -r '.traces[].spans[] | select(.durationMs > 1000) | "\\(.name): \\(.durationMs | round) ms, \\(.attributes["url.full"] // .message // "")"'`,
      good: '(nothing)',
      bad: 'GET: N ms, http://127.0.0.1:…/packages/…',
    },
    {
      action: 'Check the event loop',
      expect: 'If it was stuck, follow the runbook event_loop_stall.',
      run: `ask /v1/health | jq -r '.checks.event_loop_delay.message, "\\(.eventLoop.stalls) stalls"'`,
      good: `event loop delay was N ms
… stalls`,
    },
    {
      action: 'Check whether calls wait at a limiter for more than 100 ms',
      run: `query 'histogram_quantile(0.99, sum by (le, temper_policy_name) (rate(temper_ratelimit_wait_duration_bucket[5m]))) > 0.1'`,
      good: '(nothing)',
      references: [{ kind: 'metric', name: 'temper.ratelimit.wait.duration' }],
    },
  ],
  prevention: [
    'Derive attempt timeouts from measured percentiles, and deadlines from how long the caller can wait',
    'Cache responses of the registry, and report their age',
    'Keep the event-loop delay check enabled',
    'Alert on the objective of each operation, not on averages',
  ],
  alerts: ['TemperLatencyHigh', 'TemperCpuHigh', 'TemperFailurePredicted'],
};
