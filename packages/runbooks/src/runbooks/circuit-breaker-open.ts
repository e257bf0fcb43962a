import type { Runbook } from '../runbook.ts';
import { SETUP } from '../setup.ts';

export const CIRCUIT_BREAKER_OPEN: Runbook = {
  id: 'circuit_breaker_open',
  title: 'Circuit breaker open',
  description: 'A circuit breaker is open: calls to a dependency are rejected without being made.',
  symptoms: [
    "Errors with the message: Circuit '…' is open; the next trial is in … ms",
    'Responses marked as degraded: stale packages, reports with unchecked parts',
    'No traffic to the dependency in spite of demand',
  ],
  rootCauses: [
    'The dependency is down, overloaded or slow',
    'The network to it is broken, or its name does not resolve',
    'A deployment of the service or of the dependency',
    'A threshold that is too sensitive for the traffic',
  ],
  setup: SETUP,
  steps: [
    {
      action: 'Find out which circuit is open',
      expect: 'During a trial call it is half-open, and not listed.',
      run: `query 'max by (temper_policy_name) (temper_breaker_state{temper_breaker_state="open"}) == 1'`,
      good: '(nothing)',
      bad: 'registry_fetch 1',
      references: [
        { kind: 'metric', name: 'temper.breaker.state' },
        { kind: 'panel', dashboard: 'temper-breaker', panel: 'State' },
      ],
    },
    {
      action: 'Read the errors that opened the circuit',
      run: `ask '/v1/errors?limit=5' | jq -r '.errors[] | "\\(.context.operation): \\(.message)"'`,
      good: '(nothing)',
      bad: "fetch_package: Circuit 'registry_fetch' is open; …: http://…/packages/… responded with 503: …",
    },
    {
      action: 'Check the dependency itself',
      expect:
        'The health check bypasses the breaker, so it shows when the dependency has recovered.',
      run: `ask /v1/health | jq -r '.checks.registry | "\\(.status) \\(.message // "")"'`,
      good: 'healthy',
      bad: 'degraded http://…/health responded with 503: …',
    },
    {
      action: 'Wait for the open duration to pass: the breaker then probes the dependency',
      expect:
        'The first call after the open duration (60 s by default, 120 s for registry_fetch, 3 s in the demo) moves it to half-open. It closes after two consecutive successes. A failure opens it again.',
      run: `ask /v1/policies | jq -r '.breakers | to_entries[] | "\\(.key) \\(.value.state), opened \\(.value.openings) times"'`,
      good: 'registry_fetch closed, opened 0 times',
      bad: 'registry_fetch …, opened N times',
    },
    {
      action:
        'If it opens repeatedly, here more than five times in 30 minutes, compare its thresholds with the actual failure ratio',
      run: `query 'sum by (temper_policy_name) (increase(temper_breaker_transitions_total{temper_breaker_to="open"}[30m])) > 5'
ask /v1/policies | jq -c .settings.breakers.registry_fetch`,
      good: '{…"failureThreshold":…}',
      references: [
        { kind: 'metric', name: 'temper.breaker.transitions' },
        { kind: 'panel', dashboard: 'temper-breaker', panel: 'Failure ratio' },
      ],
    },
  ],
  prevention: [
    'Provide a fallback for outages of the dependency, and report its age',
    'Do not count client errors, such as an invalid program, as failures',
    'Use a failure rate and a minimum throughput as thresholds where traffic is high',
    'Rehearse: switch on the fault registry-outage in the demo and follow this runbook',
  ],
  alerts: ['TemperCircuitOpen', 'TemperCircuitOpenOnInstance', 'TemperCircuitFlapping'],
};
