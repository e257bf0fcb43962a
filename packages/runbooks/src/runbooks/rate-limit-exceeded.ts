import type { Runbook } from '../runbook.ts';

export const RATE_LIMIT_EXCEEDED: Runbook = {
  id: 'rate_limit_exceeded',
  title: 'Rate limit exceeded',
  description: 'A rate limiter rejects or delays calls.',
  symptoms: [
    'Responses 429 with Retry-After and RateLimit fields',
    'Errors with the name of the limiter and the retry delay',
    'Queued calls at a limiter',
  ],
  rootCauses: [
    'More traffic than the limit allows',
    'One client that sends far more requests than the others',
    'A thundering herd: many clients that retry at the same time',
    'A limit below the capacity of the dependency',
  ],
  steps: [
    {
      action: 'Find out which limiter rejects calls, and how many',
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
      action: 'Compare the available capacity with the limit',
      expect:
        'Always zero: the limit is too low or the demand too high. Zero in bursts: the burst size is too small.',
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
      action: 'Identify the clients: the audit log has the actor of each rejected operation',
      references: [
        { kind: 'endpoint', method: 'GET', path: '/v1/audit' },
        {
          kind: 'command',
          command: 'npx @temper/audit query --status rejected --limit 100 <log>',
        },
      ],
    },
    {
      action: 'Look for retries that increase the load',
      expect: 'Retries sooner than Retry-After come from a client that ignores it.',
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
        'Raise the limit if the dependency has capacity; otherwise batch, cache or spread the calls',
    },
  ],
  prevention: [
    'Derive limits from a load test of the dependency, and publish them in RateLimit-Policy',
    'Make clients use jitter and respect Retry-After',
    'Limit each client separately, so that one cannot exhaust the shared limit',
    'Use an adaptive limit where the capacity varies',
  ],
  alerts: ['TemperRateLimited'],
};
