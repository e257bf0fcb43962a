import type { Runbook } from '../runbook.ts';
import { SETUP } from '../setup.ts';

/** Counts the objects of a heap snapshot by class. */
const LARGEST_CLASSES = `node -e '
const { snapshot: { meta }, nodes, strings } = JSON.parse(require("fs").readFileSync(process.argv[1]));
const width = meta.node_fields.length, counts = new Map();
for (let i = 0; i < nodes.length; i += width) {
  if (meta.node_types[0][nodes[i]] !== "object") continue;
  const name = strings[nodes[i + 1]];
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
for (const [name, count] of [...counts].sort((a, b) => b[1] - a[1]).slice(0, 10)) console.log(count, name);
' "$DATA/service.heapsnapshot"`;

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
  setup: SETUP,
  steps: [
    {
      action: 'Look at the process and its resident memory',
      expect: 'In kilobytes, in the column RSS.',
      run: 'ps -o pid,rss,etime,args -p "$PID"',
      good: `…PID…RSS…
…main.js…`,
      references: [{ kind: 'panel', dashboard: 'temper-overview', panel: 'Resident memory' }],
    },
    {
      action: 'Find out whether memory grows steadily',
      expect:
        'In MB per second, if it is more than 4. A curve that rises and falls indicates load; one that only rises indicates a leak.',
      run: `query 'max by (instance) (deriv(process_memory_usage[30s])) / 1e6 > 4'`,
      good: '(nothing)',
      bad: '127.0.0.1:… N',
      references: [{ kind: 'metric', name: 'process.memory.usage' }],
    },
    {
      action: 'Look for accumulating work: queued calls, and audit events that are not durable yet',
      expect: 'A queue that stays full for minutes means that demand exceeds capacity.',
      run: `query 'sum by (temper_policy_name) (temper_ratelimit_queued) > 100'
query 'sum by (temper_policy_name) (temper_audit_pending) > 1000'`,
      good: '(nothing)',
      references: [
        { kind: 'metric', name: 'temper.ratelimit.queued' },
        { kind: 'metric', name: 'temper.audit.pending' },
      ],
    },
    {
      action: 'Check the number of keys in per-key limiters',
      expect: 'Below the bound of each; 10 000 for the clients of the service.',
      run: `query 'sum by (temper_policy_name) (temper_ratelimit_keys) > 10000'`,
      good: '(nothing)',
      references: [{ kind: 'metric', name: 'temper.ratelimit.keys' }],
    },
    {
      action: 'Take a heap snapshot and count the objects by class',
      expect:
        'The snapshot blocks the service for seconds and needs as much memory again as the heap. A class of the application among the first is what leaks.',
      run: `curl -sS --max-time 60 -X POST -H @<(auth) "$SERVICE/v1/heap-snapshot" | jq -r .path
${LARGEST_CLASSES}`,
      good: `…service.heapsnapshot
N Object`,
      bad: `…service.heapsnapshot
N LeakedSession`,
    },
    {
      action: 'Restart the instance',
      expect: 'SIGTERM drains the instance without losing acknowledged work.',
      run: `kill -TERM "$PID"
while kill -0 "$PID" 2> /dev/null; do sleep 0.2; done
cat "$DATA/shutdown.txt"`,
      good: "Shutdown 'demo' (SIGTERM) completed after N ms, exit code 0.",
    },
  ],
  prevention: [
    'Limit the number of entries of every cache and per-key limiter, not only their age',
    'Keep a memory check in the readiness group, so that an instance at its limit gets no more work',
    'Monitor the trend over days, not only the current level',
    'Profile large programs before users submit them',
  ],
  alerts: ['TemperMemoryHigh'],
};
