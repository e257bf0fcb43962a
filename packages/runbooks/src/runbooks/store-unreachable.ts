import type { Runbook } from '../runbook.ts';
import { SETUP } from '../setup.ts';

export const STORE_UNREACHABLE: Runbook = {
  id: 'store_unreachable',
  title: 'Store unreachable',
  description:
    'The store of a shared limit does not answer. By default each instance enforces its share of the limit alone.',
  symptoms: [
    'Errors of the limiter’s store, and decisions without it',
    'Clients are limited sooner or later than usual, because the shares of the instances differ from their traffic',
    'With onStoreFailure closed: responses 503',
  ],
  rootCauses: [
    'Redis or Valkey is down, restarts, or fails over',
    'The network to it, its address or its password has changed',
    'It refuses writes: it is out of memory, or a replica',
    'It is slower than commandTimeoutMs (250 ms by default)',
  ],
  setup: SETUP,
  steps: [
    {
      action: 'Check the connection of the service to the store',
      expect: 'The service has a store if it was started with --store.',
      run: `ask /v1/health | jq -r '.checks.store | "\\(.status) \\(.message // "")"'`,
      good: 'healthy',
      bad: 'unhealthy connect ECONNREFUSED 127.0.0.1:…',
    },
    {
      action: 'Find the limiters that decide without the store',
      run: `query 'sum by (temper_policy_name) (increase(temper_ratelimit_store_errors_total[5m])) > 0'
query 'sum by (temper_policy_name) (increase(temper_ratelimit_store_fallbacks_total[5m])) > 0'`,
      good: '(nothing)',
      bad: `http_client N
http_client N`,
      references: [
        { kind: 'metric', name: 'temper.ratelimit.store.errors' },
        { kind: 'metric', name: 'temper.ratelimit.store.fallbacks' },
        { kind: 'panel', dashboard: 'temper-ratelimit', panel: 'Store errors' },
      ],
    },
    {
      action: 'Ask the store itself',
      expect: 'An answer other than PONG is its reason: LOADING, NOAUTH, READONLY or OOM.',
      run: `STORE=\${STORE:-$(setting store)}
redis-cli -u "$STORE" ping 2>&1`,
      good: 'PONG',
      bad: 'Could not connect to Redis at 127.0.0.1:…: Connection refused',
    },
    {
      action: 'Restore the store',
      expect:
        'The service reconnects by itself within a second. After a restart without persistence all limits start anew.',
    },
  ],
  prevention: [
    'Run the store with a replica, and rehearse the failover',
    'Choose onStoreFailure for each limit: local keeps the service up, closed protects what must not be exceeded',
    'Give the store its own alert for memory and latency',
  ],
  alerts: ['TemperStoreUnreachable'],
};
