import type { Runbook } from '../runbook.ts';

export const RATE_LIMIT_EXCEEDED: Runbook = {
  id: 'rate_limit_exceeded',
  title: 'Rate limit exceeded',
  description: 'A limiter refuses calls, or lets them wait.',
  symptoms: [
    'Responses 429 with Retry-After and RateLimit fields',
    'Errors that name the limiter and say when to come back',
    'Queues in front of a limiter',
  ],
  rootCauses: [
    'More traffic than the limit was made for',
    'One client that asks far more often than the others',
    'A thundering herd: many clients that retry at the same moment',
    'A limit that is lower than what the dependency can take',
  ],
  steps: [
    {
      action: 'See which limiter refuses, and how much',
      references: [
        {
          kind: 'metric',
          name: 'temper.ratelimit.requests',
          query:
            'sum by (temper_policy_name, temper_outcome) (rate(temper_ratelimit_requests_total[5m]))',
        },
        { kind: 'panel', dashboard: 'temper-ratelimit', panel: 'Requests by outcome' },
      ],
    },
    {
      action: 'Compare what is left with the limit',
      expect:
        'Always at zero: the limit is too low, or the demand too high. Zero in bursts: the burst is too small.',
      references: [
        {
          kind: 'metric',
          name: 'temper.ratelimit.available',
          query: 'min by (temper_policy_name) (temper_ratelimit_available)',
        },
        { kind: 'endpoint', method: 'GET', path: '/v1/policies' },
      ],
    },
    {
      action: 'Find out who asks: the audit log has the actor of each refused operation',
      references: [
        { kind: 'endpoint', method: 'GET', path: '/v1/audit' },
        {
          kind: 'command',
          command: 'npx @temper/audit query --status rejected --limit 100 <log>',
        },
      ],
    },
    {
      action: 'Look for retries that make it worse',
      expect:
        'Retries that follow refusals by less than Retry-After are a client that does not listen.',
      references: [
        {
          kind: 'metric',
          name: 'temper.retry.attempts',
          query: 'sum by (temper_policy_name, error_type) (rate(temper_retry_attempts_total[5m]))',
        },
      ],
    },
    {
      action:
        'Raise the limit if the dependency can take it; otherwise batch, cache or spread the calls',
    },
  ],
  prevention: [
    'Set limits from a load test of the dependency, and say them in RateLimit-Policy',
    'Give clients jitter and let them obey Retry-After',
    'Limit each client apart, so that one cannot use up the share of all',
    'Use an adaptive limit where the capacity changes',
  ],
  alerts: ['TemperRateLimited'],
};
