import type { Runbook } from '../runbook.ts';

export const HIGH_MEMORY_USAGE: Runbook = {
  id: 'high_memory_usage',
  title: 'High memory usage',
  description: 'The process uses more memory than it should, or comes close to its limit.',
  symptoms: [
    'Resident memory above 80 % of the limit, or growing without an end',
    'Slower responses, as the garbage collector takes more of the time',
    'The process is killed for being out of memory and restarts',
  ],
  rootCauses: [
    'Very large programs parsed at the same time',
    'A cache, or limits by key, without a bound that fits the traffic',
    'Requests that queue up behind a slow dependency',
    'A leak: listeners, timers or closures that outlive their request',
  ],
  steps: [
    {
      action: 'See whether it grows steadily or in bursts',
      expect: 'Steps up and down are load; a line that only rises is a leak.',
      references: [
        { kind: 'panel', dashboard: 'temper-overview', panel: 'Resident memory' },
        { kind: 'command', command: 'ps -o pid,rss,etime,args -C node' },
      ],
    },
    {
      action: 'Look at the health checks of the process itself',
      references: [{ kind: 'endpoint', method: 'GET', path: '/v1/health' }],
    },
    {
      action: 'Look for work that piles up: calls in flight and queues',
      expect:
        'A queue that is full for minutes means that the limiter is the only thing left standing.',
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
      action: 'Look at limits by key and caches: how many keys they hold, how many they push out',
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
      action: 'Lower the limits of what is large: fewer requests at a time, smaller bodies',
      expect: 'The settings file takes effect at the next start.',
      references: [{ kind: 'endpoint', method: 'GET', path: '/v1/policies' }],
    },
    {
      action: 'For a leak, take a heap snapshot of one instance, then restart it',
      expect: 'SIGTERM drains the instance; what was acknowledged is kept.',
      references: [{ kind: 'command', command: 'kill -TERM <pid>' }],
    },
  ],
  prevention: [
    'Bound every cache and every limit by key by number, not only by time',
    'Keep the memory check with its limit in the readiness group, so that a full instance gets no more work',
    'Watch the trend over days, not only the level',
    'Profile large programs before users bring them',
  ],
  alerts: ['TemperMemoryHigh'],
};
