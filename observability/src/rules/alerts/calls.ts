import { OUTCOME, POLICY } from '../../dashboards/panel.ts';
import type { BurnWindows } from '../../mixin/config.ts';
import { selector } from '../../names.ts';
import type { AlertRule } from '../alert.ts';
import type { Queries } from '../queries.ts';
import { BREAKER_CALLS, callsIn, errorRatio, failuresIn, LATENCY } from '../recording.ts';

/** A burn rate above `factor` over both windows, with the minimum of traffic in the long one. */
function burning(queries: Queries, { factor, long, short }: BurnWindows): string {
  const { slo, minimum } = queries.config;
  return queries.perPolicy('objective', slo.objective, (objective, matchers) => {
    const at = (name: string): string => selector(name, matchers);
    // Without the noise of binary fractions: 0.144 and not 0.14400000000000002.
    const limit = Number((factor * (1 - objective)).toPrecision(10));
    return (
      `${at(errorRatio(long))} > ${limit} and ${at(errorRatio(short))} > ${limit}` +
      ` and ${at(callsIn(long))} >= ${minimum.calls} and ${at(failuresIn(long))} >= ${minimum.failures}`
    );
  });
}

/** Alerts on the calls of policies: their errors, retries and durations. */
export const CALL_ALERTS: readonly AlertRule[] = [
  {
    alert: 'TemperErrorRateHigh',
    severity: 'page',
    for: '5m',
    expr: (queries) => queries.share({ ...BREAKER_CALLS, above: 'errorRatio' }),
    summary: "Too many calls of '{temper.policy.name}' fail",
    description:
      '{{ $value | humanizePercentage }} of the calls of {job}, or of one of its instances, failed or were rejected in the last five minutes.',
    runbook: 'persistent_errors',
  },
  {
    alert: 'TemperErrorBudgetBurn',
    severity: 'page',
    for: '2m',
    expr: (queries) => burning(queries, queries.config.slo.fast),
    summary: "'{temper.policy.name}' of {job} burns its error budget very fast",
    description:
      '{{ $value | humanizePercentage }} of the calls failed or were rejected in the longer window. At this rate the budget of a month is used up in about two days.',
    runbook: 'persistent_errors',
  },
  {
    alert: 'TemperErrorBudgetBurnSlow',
    severity: 'ticket',
    for: '15m',
    expr: (queries) => burning(queries, queries.config.slo.slow),
    summary: "'{temper.policy.name}' of {job} burns its error budget too fast",
    description:
      '{{ $value | humanizePercentage }} of the calls failed or were rejected in the longer window. At this rate the budget of a month is used up in about five days.',
    runbook: 'persistent_errors',
  },
  {
    alert: 'TemperRetriesExhausted',
    severity: 'ticket',
    for: '5m',
    expr: (queries) =>
      queries.share({
        metric: 'temper.retry.operations',
        bad: { [OUTCOME]: 'exhausted' },
        all: {},
        above: 'exhaustedRatio',
      }),
    summary: "Operations of '{temper.policy.name}' fail after all retries",
    description:
      '{{ $value | humanizePercentage }} of the operations of {job}, or of one of its instances, failed after all retries.',
    runbook: 'persistent_errors',
  },
  {
    alert: 'TemperRetryBudgetSpent',
    severity: 'ticket',
    for: '5m',
    expr: (queries) => {
      const instance = queries.instance();
      const failed = queries.names.of('temper.retry.attempts', { [OUTCOME]: 'failure' });
      const spent = `max by (${queries.instance(POLICY)}) (max_over_time(${queries.names.of('temper.retry.budget.available')}[2m])) < 1`;
      // A budget has a name of its own, and its retries have theirs.
      const busy = `sum by (${instance}) (increase(${failed}[5m])) >= ${queries.config.minimum.failures}`;
      return `min by (${queries.service(POLICY)}) (${spent} and on (${instance}) ${busy})`;
    },
    summary: "The retry budget of '{temper.policy.name}' is spent",
    description:
      'An instance of {job} has made no retries for five minutes because its budget is used up, while attempts fail. Failures reach the callers.',
    runbook: 'persistent_errors',
  },
  {
    alert: 'TemperLatencyHigh',
    severity: 'ticket',
    for: '5m',
    expr: (queries) => {
      const { thresholds, minimum } = queries.config;
      const by = queries.service(POLICY);
      return queries.perPolicy('latencySeconds', thresholds.latencySeconds, (seconds, matchers) => {
        const count = queries.names.count('temper.breaker.call.duration', {}, matchers);
        return (
          `${selector(LATENCY, matchers)} > ${seconds}` +
          ` and sum by (${by}) (increase(${count}[5m])) >= ${minimum.calls}`
        );
      });
    },
    summary: "Calls of '{temper.policy.name}' are slow",
    description: 'The p99 latency of {job} over five minutes is {{ $value | humanizeDuration }}.',
    runbook: 'slow_response',
  },
  {
    alert: 'TemperRateLimited',
    severity: 'ticket',
    for: '5m',
    expr: (queries) =>
      queries.share({
        metric: 'temper.ratelimit.requests',
        bad: { [OUTCOME]: 'rejected' },
        all: {},
        above: 'rejectedRatio',
      }),
    summary: "Limiter '{temper.policy.name}' rejects many of its requests",
    description:
      '{{ $value | humanizePercentage }} of the requests to {job}, or to one of its instances, were rejected in the last five minutes.',
    runbook: 'rate_limit_exceeded',
  },
  {
    alert: 'TemperStoreUnreachable',
    severity: 'ticket',
    for: '3m',
    expr: (queries) => {
      const errors = queries.names.of('temper.ratelimit.store.errors');
      const by = queries.service(POLICY);
      // Many, and still going on: a single burst is over after two minutes.
      return (
        `sum by (${by}) (increase(${errors}[5m])) >= ${queries.config.minimum.failures}` +
        ` and sum by (${by}) (increase(${errors}[2m])) > 0`
      );
    },
    summary: "Limiter '{temper.policy.name}' cannot reach its store",
    description:
      '{{ $value | humanize }} requests of {job} to the store failed in the last five minutes. Limits apply per process, or as configured.',
    runbook: 'store_unreachable',
  },
];
