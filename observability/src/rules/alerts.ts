import { OUTCOME } from '../dashboards/panel.ts';
import { type AlertRule, BY_JOB_AND_POLICY } from './alert.ts';
import { errorRatio } from './recording.ts';

/** Error budget as a share of calls, for an objective of 99 %. */
const BUDGET = 0.01;

/** A burn rate above `factor` over both a long and a short window. */
const burning = (factor: number, long: string, short: string): string =>
  `${errorRatio(long)} > ${factor * BUDGET} and ${errorRatio(short)} > ${factor * BUDGET}`;

const POLICY = '{{ $labels.temper_policy_name }}';
const JOB = '{{ $labels.job }}';

/** All alerts. */
export const ALERTS: readonly AlertRule[] = [
  {
    alert: 'TemperCircuitOpen',
    severity: 'page',
    for: '15s',
    expr: (n) =>
      // Over one minute, because an open circuit is briefly half-open during trial calls.
      `max by (${BY_JOB_AND_POLICY}) (max_over_time(${n.of('temper.breaker.state', { 'temper.breaker.state': 'open' })}[1m])) == 1`,
    summary: `Circuit '${POLICY}' of ${JOB} is open`,
    description:
      'Calls are rejected without being made. Callers get degraded answers where available.',
    runbook: 'circuit_breaker_open',
  },
  {
    alert: 'TemperCircuitFlapping',
    severity: 'ticket',
    for: '0s',
    expr: (n) =>
      `sum by (${BY_JOB_AND_POLICY}) (increase(${n.of('temper.breaker.transitions', { 'temper.breaker.to': 'open' })}[30m])) > 5`,
    summary: `Circuit '${POLICY}' of ${JOB} opens repeatedly`,
    description:
      'It opened more than five times in 30 minutes. Check its thresholds and its dependency.',
    runbook: 'circuit_breaker_open',
  },
  {
    alert: 'TemperErrorRateHigh',
    severity: 'page',
    for: '5m',
    expr: () => `${errorRatio('5m')} > 0.01`,
    summary: `More than 1 % of the calls of '${POLICY}' fail`,
    description:
      '{{ $value | humanizePercentage }} of the calls failed or were rejected in the last five minutes.',
    runbook: 'persistent_errors',
  },
  {
    alert: 'TemperErrorBudgetBurn',
    severity: 'page',
    for: '2m',
    expr: () => burning(14.4, '1h', '5m'),
    summary: `'${POLICY}' burns its error budget 14 times too fast`,
    description:
      'At this rate the monthly budget is used up in two days. Measured over one hour and five minutes.',
    runbook: 'persistent_errors',
  },
  {
    alert: 'TemperErrorBudgetBurnSlow',
    severity: 'ticket',
    for: '15m',
    expr: () => burning(6, '6h', '30m'),
    summary: `'${POLICY}' burns its error budget six times too fast`,
    description:
      'At this rate the monthly budget is used up in five days. Measured over six hours and 30 minutes.',
    runbook: 'persistent_errors',
  },
  {
    alert: 'TemperRetriesExhausted',
    severity: 'ticket',
    for: '5m',
    expr: () => 'temper:retry_operations:exhausted_ratio_rate5m > 0.05',
    summary: `Operations of '${POLICY}' fail after all retries`,
    description: '{{ $value | humanizePercentage }} of the operations failed after all retries.',
    runbook: 'persistent_errors',
  },
  {
    alert: 'TemperLatencyHigh',
    severity: 'ticket',
    for: '5m',
    expr: () =>
      'temper:breaker_call_duration:p99_rate5m{temper_policy_name=~"ast_codegen|protocol_check"} > 0.01',
    summary: `The p99 latency of '${POLICY}' is above 10 ms`,
    description: 'The p99 latency over five minutes is {{ $value | humanizeDuration }}.',
    runbook: 'slow_response',
  },
  {
    alert: 'TemperRegistryLatencyHigh',
    severity: 'ticket',
    for: '5m',
    expr: () => 'temper:breaker_call_duration:p99_rate5m{temper_policy_name="registry_fetch"} > 5',
    summary: 'The p99 latency of the registry is above 5 s',
    description: 'The p99 latency over five minutes is {{ $value | humanizeDuration }}.',
    runbook: 'slow_response',
  },
  {
    alert: 'TemperRateLimited',
    severity: 'ticket',
    for: '5m',
    expr: (n) => {
      const metric = 'temper.ratelimit.requests';
      const rate = (selector: string): string =>
        `sum by (${BY_JOB_AND_POLICY}) (rate(${selector}[5m]))`;
      return `${rate(n.of(metric, { [OUTCOME]: 'rejected' }))} / (${rate(n.of(metric))} > 0) > 0.05`;
    },
    summary: `Limiter '${POLICY}' rejects more than 5 % of its requests`,
    description:
      '{{ $value | humanizePercentage }} of the requests were rejected in the last five minutes.',
    runbook: 'rate_limit_exceeded',
  },
  {
    alert: 'TemperMemoryHigh',
    severity: 'page',
    for: '5m',
    expr: (n) => `max by (job, instance) (${n.of('process.memory.utilization')}) > 0.8`,
    summary: `${JOB} uses more than 80 % of its memory`,
    description:
      '{{ $labels.instance }} is at {{ $value | humanizePercentage }} of its memory limit.',
    runbook: 'high_memory_usage',
  },
  {
    alert: 'TemperCpuHigh',
    severity: 'ticket',
    for: '5m',
    expr: (n) => `max by (job, instance) (${n.of('process.cpu.utilization')}) > 0.8`,
    summary: `${JOB} uses more than 80 % of its CPU`,
    description: '{{ $labels.instance }} is at {{ $value | humanizePercentage }} of its CPU limit.',
    runbook: 'slow_response',
  },
  {
    alert: 'TemperAuditLoss',
    severity: 'page',
    for: '0s',
    expr: (n) =>
      `sum by (${BY_JOB_AND_POLICY}) (increase(${n.of('temper.audit.events', { [OUTCOME]: ['dropped', 'refused'] })}[5m])) > 0`,
    summary: `The audit log '${POLICY}' loses events`,
    description: '{{ $value | humanize }} events were refused or dropped in the last five minutes.',
    runbook: 'audit_loss',
  },
  {
    alert: 'TemperAuditNotDurable',
    severity: 'page',
    for: '1m',
    expr: (n) =>
      `sum by (${BY_JOB_AND_POLICY}) (increase(${n.of('temper.audit.events', { [OUTCOME]: 'degraded' })}[5m])) > 0`,
    summary: `The audit log '${POLICY}' holds events that are not durable`,
    description:
      '{{ $value | humanize }} events were accepted in the last five minutes and are lost if the process ends before its sink recovers.',
    runbook: 'audit_loss',
  },
  {
    alert: 'TemperStoreUnreachable',
    severity: 'ticket',
    for: '1m',
    expr: (n) =>
      `sum by (${BY_JOB_AND_POLICY}) (increase(${n.of('temper.ratelimit.store.errors')}[5m])) > 0`,
    summary: `Limiter '${POLICY}' cannot reach its store`,
    description:
      '{{ $value | humanize }} requests to the store failed in the last five minutes. Limits apply per process, or as configured.',
    runbook: 'store_unreachable',
  },
  {
    alert: 'TemperEventLoopBusy',
    severity: 'ticket',
    for: '2m',
    expr: (n) => `max by (job, instance) (${n.of('nodejs.eventloop.utilization')}) > 0.9`,
    summary: `The event loop of ${JOB} is busy`,
    description:
      '{{ $labels.instance }} is at {{ $value | humanizePercentage }} utilization: all requests are delayed.',
    runbook: 'event_loop_stall',
  },
  {
    alert: 'TemperShutdownIncomplete',
    severity: 'ticket',
    for: '0s',
    expr: (n) =>
      // The counter of a process that ends: its increase is seen once or not at all, its value longer.
      `sum by (${BY_JOB_AND_POLICY}) (max_over_time(${n.of('temper.shutdown.handlers', { [OUTCOME]: ['timed_out', 'failed', 'skipped'] })}[15m])) > 0`,
    summary: `A shutdown of ${JOB} was incomplete`,
    description:
      '{{ $value | humanize }} handlers failed, timed out or were skipped in the last 15 minutes.',
    runbook: 'hung_shutdown',
  },
  {
    alert: 'TemperAuditBehind',
    severity: 'ticket',
    for: '10m',
    expr: (n) => {
      const by = `sum by (${BY_JOB_AND_POLICY}, temper_audit_target)`;
      const lag = `${by} (${n.of('temper.audit.ship.lag')})`;
      const errors = `${by} (increase(${n.of('temper.audit.ship.errors')}[5m]))`;
      return `((${lag}) > 0 and (${errors}) > 0) or (${lag}) > 10000`;
    },
    summary: `The audit log '${POLICY}' is not shipped to '{{ $labels.temper_audit_target }}'`,
    description:
      '{{ $value | humanize }} events have not been stored by the target, for ten minutes.',
    runbook: 'audit_loss',
  },
  {
    alert: 'TemperFailurePredicted',
    severity: 'ticket',
    for: '30s',
    expr: (n) => `max by (${BY_JOB_AND_POLICY}) (${n.of('temper.forecast.failure.warning')}) == 1`,
    summary: `The dependency '${POLICY}' behaves unlike its usual`,
    description:
      'Its predictor warns, perhaps before users notice. The log record temper.forecast.warning says why.',
    runbook: 'slow_response',
  },
  {
    alert: 'TemperUnhealthy',
    severity: 'page',
    for: '1m',
    expr: (n) =>
      `max by (job, temper_health_check_name) (${n.of('temper.health.status', { 'temper.health.status': 'unhealthy' })}) == 1`,
    summary: `Health check '{{ $labels.temper_health_check_name }}' of ${JOB} is unhealthy`,
    description: 'It has been unhealthy for one minute.',
    runbook: 'unhealthy_check',
  },
];
