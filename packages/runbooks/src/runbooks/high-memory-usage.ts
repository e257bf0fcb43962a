import type { Runbook } from '../runbook.ts';

export const HIGH_MEMORY_USAGE: Runbook = {
  id: 'high_memory_usage',
  title: 'High memory usage',
  description: 'The process uses more memory than expected, or is close to its limit.',
  symptoms: [
    'Resident memory above 80 % of the limit, or growing continuously',
    'Slower responses, because garbage collection takes more time',
    'The process is killed by the out-of-memory killer and restarts',
  ],
  rootCauses: [
    'Very large programs parsed concurrently',
    'A cache or a per-key limiter whose bound is too large',
    'Requests that queue up behind a slow dependency',
    'A leak: listeners, timers or closures that outlive their request',
  ],
  steps: [
    {
      action: 'Find out whether memory grows steadily or in bursts',
      expect: 'A curve that rises and falls indicates load; one that only rises indicates a leak.',
      references: [
        { kind: 'panel', dashboard: 'temper-overview', panel: 'Resident memory' },
        { kind: 'command', command: 'ps -o pid,rss,etime,args -C node' },
      ],
    },
    {
      action: 'Check the health of the process',
      references: [{ kind: 'endpoint', method: 'GET', path: '/v1/health' }],
    },
    {
      action: 'Look for accumulating work: queued calls and pending audit events',
      expect: 'A queue that stays full for minutes means that demand exceeds capacity.',
      references: [
        {
          kind: 'metric',
          name: 'temper.ratelimit.queued',
          query: 'sum by (temper_policy_name) (temper_ratelimit_queued)',
        },
        {
          kind: 'metric',
          name: 'temper.audit.pending',
          query: 'sum by (temper_policy_name) (temper_audit_pending)',
        },
      ],
    },
    {
      action: 'Check the number of keys in per-key limiters and caches',
      references: [
        {
          kind: 'metric',
          name: 'temper.ratelimit.keys',
          query: 'sum by (temper_policy_name) (temper_ratelimit_keys)',
        },
        {
          kind: 'metric',
          name: 'temper.cache.keys',
          query: 'sum by (temper_policy_name) (temper_cache_keys)',
        },
      ],
    },
    {
      action: 'Lower the limits: fewer concurrent requests, smaller bodies',
      expect: 'Changes of the settings file take effect at the next start.',
      references: [{ kind: 'endpoint', method: 'GET', path: '/v1/policies' }],
    },
    {
      action: 'For a leak, take a heap snapshot of one instance, then restart it',
      expect: 'SIGTERM drains the instance without losing acknowledged work.',
      references: [{ kind: 'command', command: 'kill -TERM <pid>' }],
    },
  ],
  prevention: [
    'Limit the number of entries of every cache and per-key limiter, not only their age',
    'Keep the memory check in the readiness group, so that an instance at its limit gets no more work',
    'Monitor the trend over days, not only the current level',
    'Profile large programs before users submit them',
  ],
  alerts: ['TemperMemoryHigh'],
};
