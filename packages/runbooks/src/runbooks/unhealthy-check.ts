import type { Runbook } from '../runbook.ts';
import { SETUP } from '../setup.ts';

export const UNHEALTHY_CHECK: Runbook = {
  id: 'unhealthy_check',
  title: 'Unhealthy check',
  description: 'A health check fails. If it is critical, the instance receives no more traffic.',
  symptoms: [
    'Readiness answers 503, and the load balancer removes the instance',
    'A health check with the status unhealthy on the overview dashboard',
    'Less capacity without a deployment',
  ],
  rootCauses: [
    'A child process or a dependency of the service does not answer',
    'The check takes longer than its timeout',
    'Memory, disk or file descriptors of the instance are used up',
    'The service is shutting down',
  ],
  setup: SETUP,
  steps: [
    {
      action: 'List the checks, with the reasons of those that fail',
      expect: 'Requests without the token get only the overall status.',
      run: `ask '/readyz?verbose'`,
      good: `[+]lsp ok…
readyz check passed`,
      bad: `[-]lsp unhealthy…: The language server exited… on SIGKILL…
readyz check failed`,
    },
    {
      action: 'Find out how often a check that fails has failed in the last 15 minutes',
      expect: 'A check that fails now and then needs a flapping rule, or a longer timeout.',
      run: `CHECK=\${CHECK:-lsp}   # one that the first step lists
query 'sum by (temper_health_check_name) (increase(temper_health_checks_total{temper_health_check_name="'"$CHECK"'",temper_health_status="unhealthy"}[15m])) > 0'`,
      good: '(nothing)',
      bad: 'lsp N',
      references: [
        { kind: 'metric', name: 'temper.health.checks' },
        { kind: 'panel', dashboard: 'temper-health', panel: 'Probes by status' },
      ],
    },
    {
      action: 'Compare the duration of the check with its timeout',
      expect: 'At the 99th percentile, in seconds, if it is more than 2.',
      run: `query 'histogram_quantile(0.99, sum by (le, temper_health_check_name) (rate(temper_health_check_duration_bucket[15m]))) > 2'`,
      good: '(nothing)',
      references: [
        { kind: 'metric', name: 'temper.health.check.duration' },
        { kind: 'panel', dashboard: 'temper-health', panel: 'Probe duration, p99' },
      ],
    },
    {
      action: 'Look at the child processes of the service',
      run: `ask /v1/health | jq -r '.children.lsp | "language server \\(.state), \\(.restarts) restarts"'
ps -o pid,rss,etime,args --ppid "$PID"`,
      good: `language server running, 0 restarts
…PID…RSS…
…registry…`,
      bad: `language server …, N restarts
…PID…RSS…
…registry…`,
    },
    {
      action:
        'Repair what the reason names. For a dependency, follow the runbook circuit_breaker_open; for the audit log, audit_loss; for the event loop, event_loop_stall',
    },
  ],
  prevention: [
    'Give every check a message that names the cause',
    'Mark a check as critical only if the instance cannot work without what it tests',
    'Keep dependencies out of liveness: a restart does not repair them',
  ],
  alerts: ['TemperUnhealthy', 'TemperUnhealthyOnInstance'],
};
