import type { Runbook } from '../runbook.ts';

export const CIRCUIT_BREAKER_OPEN: Runbook = {
  id: 'circuit_breaker_open',
  title: 'Circuit breaker open',
  description:
    'A circuit breaker has opened: calls to a dependency are refused without being made.',
  symptoms: [
    "Errors that say: Circuit '…' is open; next trial in … ms",
    'Answers marked as degraded: stale packages, reports that say what was not checked',
    'No traffic to the dependency, although there is demand',
  ],
  rootCauses: [
    'The dependency is down, overloaded or slow',
    'The network to it is broken, or its name does not resolve',
    'A deployment on one of the two sides',
    'A threshold that is too tight for the traffic',
  ],
  steps: [
    {
      action: 'See which circuit is open and how often it has changed',
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
      action: 'Read what the calls failed with before it opened',
      references: [
        { kind: 'endpoint', method: 'GET', path: '/v1/errors' },
        { kind: 'endpoint', method: 'GET', path: '/v1/audit' },
      ],
    },
    {
      action: 'Check the dependency itself',
      expect: 'The health check asks past the breaker, so it shows when the dependency is back.',
      references: [{ kind: 'endpoint', method: 'GET', path: '/v1/health' }],
    },
    {
      action: 'Wait for the open time to pass: the breaker tries the dependency by itself',
      expect:
        'It goes to half-open with the first call after that (60 s by default, 120 s for registry_fetch), and closes after two successes in a row. A failed trial opens it again.',
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
        'If it opens and closes again and again, compare its thresholds with the real failure rate',
      references: [
        { kind: 'panel', dashboard: 'temper-breaker', panel: 'Failure ratio' },
        { kind: 'endpoint', method: 'GET', path: '/v1/policies' },
      ],
    },
  ],
  prevention: [
    'Keep an answer for when the dependency is away, and say its age',
    'Let the caller’s own mistakes (an invalid program) not count as failures',
    'Set thresholds by rate and minimum throughput where traffic is high',
    'Rehearse: switch the outage on in the demo and watch this page work',
  ],
  alerts: ['TemperCircuitOpen', 'TemperCircuitFlapping'],
};
