import type { Runbook } from '../runbook.ts';

export const CIRCUIT_BREAKER_OPEN: Runbook = {
  id: 'circuit_breaker_open',
  title: 'Circuit breaker open',
  description: 'A circuit breaker is open: calls to a dependency are rejected without being made.',
  symptoms: [
    "Errors with the message: Circuit '…' is open; next trial in … ms",
    'Responses marked as degraded: stale packages, reports with unchecked parts',
    'No traffic to the dependency in spite of demand',
  ],
  rootCauses: [
    'The dependency is down, overloaded or slow',
    'The network to it is broken, or its name does not resolve',
    'A deployment of the service or of the dependency',
    'A threshold that is too sensitive for the traffic',
  ],
  steps: [
    {
      action: 'Find out which circuit is open and how often its state has changed',
      references: [
        {
          kind: 'metric',
          name: 'temper.breaker.state',
          query:
            'max by (temper_policy_name) (temper_breaker_state{temper_breaker_state="open"}) == 1',
        },
        { kind: 'panel', dashboard: 'temper-breaker', panel: 'State' },
      ],
    },
    {
      action: 'Read the errors that opened the circuit',
      references: [
        { kind: 'endpoint', method: 'GET', path: '/v1/errors' },
        { kind: 'endpoint', method: 'GET', path: '/v1/audit' },
      ],
    },
    {
      action: 'Check the dependency itself',
      expect:
        'The health check bypasses the breaker, so it shows when the dependency has recovered.',
      references: [{ kind: 'endpoint', method: 'GET', path: '/v1/health' }],
    },
    {
      action: 'Wait for the open duration to pass: the breaker then probes the dependency',
      expect:
        'The first call after the open duration (60 s by default, 120 s for registry_fetch) moves it to half-open. It closes after two consecutive successes. A failure opens it again.',
      references: [
        {
          kind: 'metric',
          name: 'temper.breaker.transitions',
          query:
            'sum by (temper_policy_name, temper_breaker_from, temper_breaker_to) (increase(temper_breaker_transitions_total[15m]))',
        },
      ],
    },
    {
      action:
        'If it opens and closes repeatedly, compare its thresholds with the actual failure rate',
      references: [
        { kind: 'panel', dashboard: 'temper-breaker', panel: 'Failure ratio' },
        { kind: 'endpoint', method: 'GET', path: '/v1/policies' },
      ],
    },
  ],
  prevention: [
    'Provide a fallback for outages of the dependency, and report its age',
    'Do not count client errors, such as an invalid program, as failures',
    'Use a failure rate and a minimum throughput as thresholds where traffic is high',
    'Rehearse: start the outage scenario in the demo and follow this runbook',
  ],
  alerts: ['TemperCircuitOpen', 'TemperCircuitFlapping'],
};
