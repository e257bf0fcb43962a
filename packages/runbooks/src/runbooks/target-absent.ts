import type { Runbook } from '../runbook.ts';
import { SETUP } from '../setup.ts';

export const TARGET_ABSENT: Runbook = {
  id: 'target_absent',
  title: 'Metrics absent',
  description:
    'An instance, or the whole service, reports no metrics. While that lasts no other alert can fire for it.',
  symptoms: [
    'Dashboards without data, and graphs that end',
    'Targets that are down in Prometheus',
    'Nobody notices an outage',
  ],
  rootCauses: [
    'The process has ended, or the event loop is blocked',
    'The metrics port, its address or a network policy has changed',
    'The service discovery no longer finds the service, or still finds an instance that was removed',
    'Metrics are pushed, and the Collector or its credentials fail',
  ],
  setup: SETUP,
  steps: [
    {
      action: 'List the targets of Prometheus with the reasons of those that are down',
      expect:
        'No line for the service: the service discovery has lost it. A deployment that removed the service on purpose needs no action; the alert ends by itself.',
      run: `curl -sS --max-time 5 "$PROMETHEUS/api/v1/targets?state=active" |
  jq -r '.data.activeTargets[] | "\\(.labels.job) \\(.scrapeUrl) \\(.health) \\(.lastError)"'`,
      good: 'parsercraft http://…/metrics up',
      bad: 'parsercraft http://…/metrics down …',
    },
    {
      action: 'Ask the service itself for its metrics',
      expect: 'If it answers, the fault is between it and Prometheus.',
      run: `curl -sS --max-time 5 "$METRICS" 2>&1 | grep -e '^temper_shutdown_stopping' -e curl:`,
      good: 'temper_shutdown_stopping{…} 0',
      bad: 'curl: (7) Failed to connect…',
      references: [{ kind: 'metric', name: 'temper.shutdown.stopping' }],
    },
    {
      action: 'See whether its process runs',
      expect: 'If it runs and does not answer, go on with the runbook event_loop_stall.',
      run: 'kill -0 "$PID" 2> /dev/null && echo running || echo ended',
      good: 'running',
      bad: 'ended',
    },
    {
      action:
        'Read its exit code and its last lines in the log of the process manager, and start it again',
      expect: '137: killed, often for its memory. 124: its shutdown timed out.',
    },
  ],
  prevention: [
    'List the jobs that must be there in the configuration of the mixin',
    'Let the process manager restart the service, and alert on restarts',
    'Watch Prometheus and Alertmanager from outside, with an alert that always fires',
  ],
  alerts: ['TemperTargetAbsent', 'TemperTargetDown'],
};
