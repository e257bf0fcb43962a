import { OUTCOME, POLICY } from '../../dashboards/panel.ts';
import type { AlertRule } from '../alert.ts';
import type { Queries } from '../queries.ts';

const STATE = 'temper.breaker.state';
const CHECK = 'temper.health.check.name';
const STATUS = 'temper.health.status';

/** A state of instances that matters more the more of them are in it. */
interface SharedState {
  /** What the instances are told apart by, besides the service. */
  readonly attribute: string;
  /** The instances in the state, by service, attribute and instance. */
  readonly bad: (queries: Queries) => string;
  /** All instances. */
  readonly all: (queries: Queries) => string;
}

/**
 * A circuit that was open within a minute and is not closed. It may be half-open now: during its trial
 * calls it is so for a moment, and begins again.
 */
const REJECTING: SharedState = {
  attribute: POLICY,
  bad: (queries) => {
    const by = queries.instance(POLICY);
    const { names } = queries;
    return (
      `max by (${by}) (max_over_time(${names.of(STATE, { [STATE]: 'open' })}[1m])) == 1` +
      ` and max by (${by}) (${names.of(STATE, { [STATE]: 'closed' })}) == 0`
    );
  },
  all: (queries) => queries.names.of(STATE, { [STATE]: 'closed' }),
};

const UNHEALTHY: SharedState = {
  attribute: CHECK,
  bad: (queries) =>
    `max by (${queries.instance(CHECK)}) (${queries.names.of(STATUS, { [STATUS]: 'unhealthy' })}) == 1`,
  all: (queries) => queries.names.of(STATUS, { [STATUS]: 'healthy' }),
};

/** The share of the instances in a state, where it is large. */
function inMany(queries: Queries, { attribute, bad, all }: SharedState): string {
  const by = queries.service(attribute);
  const instances = `max by (${queries.instance(attribute)}) (${all(queries)})`;
  return `count by (${by}) (${bad(queries)}) / count by (${by}) (${instances}) >= ${queries.config.thresholds.instanceShare}`;
}

/** Each instance in a state, unless it is one of many. */
function inFew(queries: Queries, state: SharedState): string {
  const by = queries.service(state.attribute);
  return `(${state.bad(queries)}) unless on (${by}) (${inMany(queries, state)})`;
}

/** Alerts on circuits, predictions, health checks and shutdowns. */
export const STATE_ALERTS: readonly AlertRule[] = [
  {
    alert: 'TemperCircuitOpen',
    severity: 'page',
    for: '1m',
    // The rates over five minutes that it explains still have the outage in them when the circuit has
    // closed. Without it they would page for what is over.
    keepFiringFor: '6m',
    expr: (queries) => inMany(queries, REJECTING),
    summary: "Circuit '{temper.policy.name}' of {job} is open",
    description:
      'It has been open for a minute on {{ $value | humanizePercentage }} of the instances. Calls are rejected without being made. Callers get degraded answers where available.',
    runbook: 'circuit_breaker_open',
  },
  {
    alert: 'TemperCircuitOpenOnInstance',
    severity: 'ticket',
    for: '5m',
    expr: (queries) => inFew(queries, REJECTING),
    summary: "Circuit '{temper.policy.name}' is open on {instance}",
    description:
      'It has been open for five minutes on this instance of {job}, and is closed on most others: the cause is probably the instance or its network.',
    runbook: 'circuit_breaker_open',
  },
  {
    alert: 'TemperCircuitFlapping',
    severity: 'ticket',
    for: '1m',
    expr: (queries) => {
      // In an outage a circuit opens after each trial call, and does not flap: it was not closed.
      const opened = queries.names.of('temper.breaker.transitions', {
        'temper.breaker.from': 'closed',
        'temper.breaker.to': 'open',
      });
      const { openings } = queries.config.thresholds;
      return `max by (${queries.service(POLICY)}) (${queries.events(opened, '30m', queries.instance(POLICY))}) > ${openings}`;
    },
    summary: "Circuit '{temper.policy.name}' of {job} opens repeatedly",
    description:
      'It opened {{ $value | humanize }} times in 30 minutes on one instance. Check its thresholds and its dependency.',
    runbook: 'circuit_breaker_open',
  },
  {
    alert: 'TemperFailurePredicted',
    severity: 'ticket',
    for: '1m',
    expr: (queries) =>
      `max by (${queries.service(POLICY)}) (${queries.names.of('temper.forecast.failure.warning')}) == 1`,
    summary: "The dependency '{temper.policy.name}' of {job} behaves unlike its usual",
    description:
      'Its predictor warns, perhaps before users notice. The log record temper.forecast.warning says why.',
    runbook: 'slow_response',
  },
  {
    alert: 'TemperUnhealthy',
    severity: 'page',
    for: '1m',
    expr: (queries) => inMany(queries, UNHEALTHY),
    summary: "Health check '{temper.health.check.name}' of {job} is unhealthy",
    description:
      'It has been unhealthy for one minute on {{ $value | humanizePercentage }} of the instances.',
    runbook: 'unhealthy_check',
  },
  {
    alert: 'TemperUnhealthyOnInstance',
    severity: 'ticket',
    for: '5m',
    expr: (queries) => inFew(queries, UNHEALTHY),
    summary: "Health check '{temper.health.check.name}' is unhealthy on {instance}",
    description:
      'It has been unhealthy for five minutes on this instance of {job}, and is healthy on most others.',
    runbook: 'unhealthy_check',
  },
  {
    alert: 'TemperShutdownHung',
    severity: 'ticket',
    for: (queries) => queries.config.shutdown,
    expr: (queries) =>
      `max by (${queries.instance(POLICY)}) (${queries.names.of('temper.shutdown.stopping')}) > 0`,
    summary: 'The shutdown of {instance} hangs',
    description:
      'It takes longer than any shutdown of {job} should, and goes on. The instance receives no traffic and is still there.',
    runbook: 'hung_shutdown',
  },
  {
    alert: 'TemperShutdownIncomplete',
    severity: 'ticket',
    for: '1m',
    expr: (queries) => {
      const handlers = queries.names.of('temper.shutdown.handlers', {
        [OUTCOME]: ['timed_out', 'failed', 'skipped'],
      });
      return `${queries.events(handlers, '15m', queries.service(POLICY))} > 0`;
    },
    summary: 'A shutdown of {job} was incomplete',
    description:
      '{{ $value | humanize }} handlers failed, timed out or were skipped in the last 15 minutes.',
    runbook: 'hung_shutdown',
  },
];
