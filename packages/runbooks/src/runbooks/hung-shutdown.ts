import type { Runbook } from '../runbook.ts';
import { SETUP } from '../setup.ts';

export const HUNG_SHUTDOWN: Runbook = {
  id: 'hung_shutdown',
  title: 'Hung shutdown',
  description: 'A shutdown does not end in time: a handler failed, or was given up.',
  symptoms: [
    'Instances stay in the state Terminating, and deployments take long',
    'Exit code 124, or 137 when the process manager killed the process',
    'Requests or events are lost at deployments',
  ],
  rootCauses: [
    'A handler waits for something that never comes: a lock, a job, a reply',
    'A connection or a transaction that is not closed',
    'The grace period of the process manager is shorter than the time limit of the shutdown',
    'A request that streams without an end',
  ],
  setup: SETUP,
  steps: [
    {
      action: 'Begin the shutdown, if the process manager has not',
      expect: 'Once: a second signal forces the end.',
      run: 'kill -TERM "$PID"',
      good: '(nothing)',
    },
    {
      action: 'See whether it ends',
      expect: 'The service ends within three seconds if nothing is under way.',
      run: `sleep 4
ps -o pid,etime,args -p "$PID"`,
      good: '…PID…',
      bad: `…PID…
…main.js…`,
    },
    {
      action: 'See what it waits for while it hangs',
      expect:
        'More than 0 in flight: a request or a tracked promise. Otherwise a handler. The metrics are served until the end.',
      run: `curl -sS --max-time 2 "$METRICS" 2>&1 | grep -e '^temper_shutdown_in_flight' -e curl:`,
      good: 'curl: (7) Failed to connect…',
      bad: 'temper_shutdown_in_flight{temper_policy_name="demo",…} 0',
      references: [
        { kind: 'metric', name: 'temper.shutdown.in_flight' },
        { kind: 'panel', dashboard: 'temper-health', panel: 'In-flight requests' },
      ],
    },
    {
      action: 'Wait for its end, and read the report',
      expect:
        'It names the handlers that did not complete, and what kept the event loop alive. It is in standard error too. No report: the process was killed before its time limit. The alert needs a scrape between the last handler and the exit, or metrics that are pushed; the exit code tells it always.',
      run: `while kill -0 "$PID" 2> /dev/null; do sleep 0.2; done
cat "$DATA/shutdown.txt"`,
      good: "Shutdown 'demo' (SIGTERM) completed after N ms, exit code 0.",
      bad: `Shutdown 'demo' (SIGTERM) timed out after N ms, exit code 124.
  timed out  flush/drain the job queue: …
  still running: flush/drain the job queue`,
      references: [{ kind: 'panel', dashboard: 'temper-health', panel: 'Handlers by outcome' }],
    },
    {
      action: 'Make the handler that is named give up when its signal aborts, and redeploy',
    },
  ],
  prevention: [
    'Give every handler a time limit below that of the whole shutdown',
    'Set the grace period of the process manager above timeoutMs, and test it under load',
    'Rehearse: switch on the fault hung-shutdown in the demo and follow this runbook',
  ],
  alerts: ['TemperShutdownHung', 'TemperShutdownIncomplete'],
};
