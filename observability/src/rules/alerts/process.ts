import { OUTCOME, POLICY } from '../../dashboards/panel.ts';
import { selector } from '../../names.ts';
import { quotedLabel } from '../../prometheus-names.ts';
import type { AlertRule } from '../alert.ts';
import { INSTANCES, type Queries } from '../queries.ts';

const TARGET = 'temper.audit.target';

/** A level of an instance above a limit. */
const above = (queries: Queries, metric: string, limit: number): string =>
  `max by (${queries.instance()}) (${queries.names.of(metric)}) > ${limit}`;

/** Jobs that had instances and have none, and configured ones that have none. */
function absent(queries: Queries): string {
  const { absentWindow, jobs, labels } = queries.config;
  const gone = `last_over_time(${INSTANCES}[${absentWindow}]) unless ${INSTANCES}`;
  const expected = jobs.map(
    (name) =>
      `absent(${selector(INSTANCES, [`${quotedLabel(labels.job)}=${JSON.stringify(name)}`])})`,
  );
  return [gone, ...expected].join('\nor\n');
}

/** Alerts on processes, their presence, and the audit log. */
export const PROCESS_ALERTS: readonly AlertRule[] = [
  {
    alert: 'TemperTargetAbsent',
    severity: 'page',
    for: '5m',
    expr: absent,
    summary: 'No instance of {job} reports metrics',
    description:
      'There were some, or there should be: either the service is down, or its metrics do not arrive, and no other alert can fire.',
    runbook: 'target_absent',
  },
  {
    alert: 'TemperTargetDown',
    severity: 'ticket',
    for: '5m',
    expr: (queries) => {
      const { names, config } = queries;
      const seen = `last_over_time(${INSTANCES}[${config.absentWindow}]) > 0`;
      return `max by (${queries.instance()}) (${names.own('up')}) == 0 and on (${queries.service()}) (${seen})`;
    },
    summary: '{instance} of {job} cannot be scraped',
    description:
      'Its metrics have been missing for five minutes. The service discovery still has it, so it should be there.',
    runbook: 'target_absent',
  },
  {
    alert: 'TemperMemoryHigh',
    severity: 'page',
    for: '5m',
    expr: (queries) =>
      above(queries, 'process.memory.utilization', queries.config.thresholds.memory),
    summary: '{job} uses most of its memory',
    description: '{instance} is at {{ $value | humanizePercentage }} of its memory limit.',
    runbook: 'high_memory_usage',
  },
  {
    alert: 'TemperCpuHigh',
    severity: 'ticket',
    for: '5m',
    expr: (queries) => above(queries, 'process.cpu.utilization', queries.config.thresholds.cpu),
    summary: '{job} uses most of its CPU',
    description: '{instance} is at {{ $value | humanizePercentage }} of its CPU limit.',
    runbook: 'slow_response',
  },
  {
    alert: 'TemperEventLoopBusy',
    severity: 'ticket',
    for: '2m',
    expr: (queries) =>
      above(queries, 'nodejs.eventloop.utilization', queries.config.thresholds.eventLoop),
    summary: 'The event loop of {job} is busy',
    description:
      '{instance} is at {{ $value | humanizePercentage }} utilization: all requests are delayed.',
    runbook: 'event_loop_stall',
  },
  {
    alert: 'TemperAuditLoss',
    severity: 'page',
    for: '1m',
    // One event is enough: a loss cannot be made good.
    expr: (queries) => {
      const lost = queries.names.of('temper.audit.events', { [OUTCOME]: ['dropped', 'refused'] });
      return `${queries.events(lost, '15m', queries.service(POLICY))} > 0`;
    },
    summary: "The audit log '{temper.policy.name}' loses events",
    description:
      '{{ $value | humanize }} events of {job} were refused or dropped in the last 15 minutes.',
    runbook: 'audit_loss',
  },
  {
    alert: 'TemperAuditNotDurable',
    severity: 'page',
    for: '1m',
    expr: (queries) => {
      const { names } = queries;
      const by = queries.instance(POLICY);
      const degraded = names.of('temper.audit.events', { [OUTCOME]: 'degraded' });
      // They are still held: a sink that has recovered takes them.
      const held = `sum by (${by}) (min_over_time(${names.of('temper.audit.pending')}[1m]))`;
      return `sum by (${queries.service(POLICY)}) (${held} > 0 and ${queries.events(degraded, '15m', by)} > 0)`;
    },
    summary: "The audit log '{temper.policy.name}' holds events that are not durable",
    description:
      '{{ $value | humanize }} events of {job} were accepted and are lost if their processes end before the sink recovers.',
    runbook: 'audit_loss',
  },
  {
    alert: 'TemperAuditBehind',
    severity: 'ticket',
    for: '10m',
    expr: (queries) => {
      const { names, config } = queries;
      const by = `sum by (${queries.service(POLICY, TARGET)})`;
      const lag = `${by} (${names.of('temper.audit.ship.lag')})`;
      const errors = `${by} (increase(${names.of('temper.audit.ship.errors')}[5m]))`;
      return `(${lag} > 0 and ${errors} > 0) or ${lag} > ${config.thresholds.auditLag}`;
    },
    summary: "The audit log '{temper.policy.name}' is not shipped to '{temper.audit.target}'",
    description:
      '{{ $value | humanize }} events of {job} have not been stored by the target, for ten minutes.',
    runbook: 'audit_loss',
  },
];
