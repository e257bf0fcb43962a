import type { Runbook } from '../runbook.ts';
import { SETUP } from '../setup.ts';

export const EVENT_LOOP_STALL: Runbook = {
  id: 'event_loop_stall',
  title: 'Event loop stall',
  description: 'Synchronous work blocks the event loop, so that the process answers nothing.',
  symptoms: [
    'All requests are slow or time out at the same moment, health probes and scrapes of metrics too',
    'One core is busy',
    'The orchestrator restarts the instance although its dependencies work',
  ],
  rootCauses: [
    'A very large input that is parsed, serialized or matched in one go',
    'A regular expression with catastrophic backtracking',
    'Synchronous file system, compression or cryptography calls',
    'Garbage collection close to the memory limit',
  ],
  setup: SETUP,
  steps: [
    {
      action: 'Compare the service with its watchdog, which answers from a thread of its own',
      expect:
        'Only the service is silent: the event loop is stuck. Both are silent: the process is stopped, or gone. The watchdog answers 503: it has been stuck for 10 s, and is about to be restarted.',
      run: `curl -sS --max-time 2 -o /dev/null -w 'service: %{http_code}\\n' "$SERVICE/livez" 2>&1
curl -sS --max-time 2 -o /dev/null -w 'watchdog: %{http_code}\\n' "$LIVENESS" 2>&1`,
      good: `service: 200
watchdog: 200`,
      bad: `service: 000
watchdog: 200`,
    },
    {
      action: 'Read what the event loop was stuck in',
      expect:
        'The first line of the stack is the function that did not return. If the instance was killed meanwhile, the stack is in its standard error.',
      run: `ask /v1/health | jq -r '.eventLoop | "\\(.stalls) stalls, the longest \\(.longestMs | round) ms", (.last.stack // empty)'`,
      good: '… stalls, the longest … ms',
      bad: `N stalls, the longest N ms
    at analyzeSynchronously (file://…local.js:…)`,
    },
    {
      action: 'Find out whether the event loop is busy without being stuck',
      expect: 'Then add instances, or move the work to a worker thread.',
      run: `query 'max by (instance) (avg_over_time(nodejs_eventloop_utilization[5m])) > 0.9'`,
      good: '(nothing)',
      references: [
        { kind: 'metric', name: 'nodejs.eventloop.utilization' },
        { kind: 'panel', dashboard: 'temper-overview', panel: 'Event loop utilization' },
      ],
    },
    {
      action: 'Find the requests that were under way in the last traces',
      run: `ask '/v1/traces?limit=200' | jq -r '.traces[] | select(.durationMs > 1000) | "\\(.name): \\(.durationMs | round) ms"'`,
      good: '(nothing)',
    },
    {
      action: 'Reject the input that causes it: limit its size, or the time of the operation',
    },
  ],
  prevention: [
    'Limit the size of every input, and do expensive work in a worker thread or in slices',
    'Probe liveness at the watchdog, so that a stall that ends causes no restart and an endless one does',
    'Test with the largest input that is accepted',
  ],
  alerts: ['TemperEventLoopBusy'],
};
