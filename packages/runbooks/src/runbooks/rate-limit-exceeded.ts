import type { Runbook } from '../runbook.ts';
import { SETUP } from '../setup.ts';

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
  setup: SETUP,
  steps: [
    {
      action: 'Find out whether you are limited yourself',
      expect:
        'An operator with the address of the abuser has its limit too. Requests with the token have a limit of their own.',
      run: `curl -sS --max-time 5 -o /dev/null -w 'without the token: %{http_code}\\n' "$SERVICE/v1/policies"
curl -sS --max-time 5 -o /dev/null -w 'with the token: %{http_code}\\n' -H @<(auth) "$SERVICE/v1/policies"`,
      good: `without the token: 200
with the token: 200`,
      bad: `without the token: 429
with the token: 200`,
    },
    {
      action: 'Find out which limiter rejects calls, and how many per second',
      run: `query 'sum by (temper_policy_name) (rate(temper_ratelimit_requests_total{temper_outcome="rejected"}[5m])) > 0'`,
      good: '(nothing)',
      bad: 'http_client N',
      references: [
        { kind: 'metric', name: 'temper.ratelimit.requests' },
        { kind: 'panel', dashboard: 'temper-ratelimit', panel: 'Requests by outcome' },
      ],
    },
    {
      action: 'Identify the clients',
      expect:
        'The audit log has an event for each refused client and five seconds, with the number of its requests, and an event for each operation that a limiter of the service rejected.',
      run: `ask '/v1/audit?status=rejected&limit=5' | jq -r '.events[] | "\\(.actor.id): \\(.details.requests // 1) refused by \\(.resource)"'`,
      good: '(nothing)',
      bad: '127.0.0.1: N refused by http_client',
    },
    {
      action: 'Compare the limits with what is left of them',
      expect:
        'Always zero: the limit is too low or the demand too high. Zero in bursts: the burst size is too small.',
      run: `ask /v1/policies | jq -r '.limiters | to_entries[] | "\\(.key): \\(.value.remaining) of \\(.value.limit)"'`,
      good: `ast_analysis: N of 1000
registry_query: N of 500
lsp_requests: N of 2000`,
    },
    {
      action: 'Look for retries of the service itself that increase the load, per second',
      run: `query 'sum by (temper_outcome, temper_policy_name) (rate(temper_retry_attempts_total{temper_outcome="failure"}[5m])) > 1'`,
      good: '(nothing)',
      references: [{ kind: 'metric', name: 'temper.retry.attempts' }],
    },
    {
      action:
        'Block a single abuser in front of the service. Raise the limit if the dependency has capacity; otherwise batch, cache or spread the calls',
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
