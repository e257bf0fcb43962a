import { OUTCOME, POLICY } from '../dashboards/panel.ts';
import type { Where } from '../names.ts';
import type { RecordingRule } from './alert.ts';
import { INSTANCES, type Queries } from './queries.ts';

/** A metric of every package that its policies have from their construction. */
const PRESENT: readonly string[] = [
  'temper.breaker.calls',
  'temper.retry.operations',
  'temper.ratelimit.requests',
  'temper.timeout.calls',
  'temper.fallback.calls',
  'temper.audit.events',
  'temper.health.status',
  'temper.shutdown.stopping',
];

/** Calls of a breaker by what they mean for its objective. Ignored and aborted calls are left out. */
export const BREAKER_CALLS: { readonly metric: string; readonly bad: Where; readonly all: Where } =
  {
    metric: 'temper.breaker.calls',
    bad: { [OUTCOME]: ['failure', 'rejected'] },
    all: { [OUTCOME]: ['success', 'slow', 'failure', 'rejected'] },
  };

/** The recorded share of failed and rejected calls over a window. */
export const errorRatio = (window: string): string =>
  `temper:breaker_calls:error_ratio_rate${window}`;
/** The recorded number of calls in a window. */
export const callsIn = (window: string): string => `temper:breaker_calls:increase${window}`;
/** The recorded number of failed and rejected calls in a window. */
export const failuresIn = (window: string): string => `temper:breaker_failures:increase${window}`;
/** The recorded 99th percentile of the durations of calls. */
export const LATENCY = 'temper:breaker_call_duration:p99_rate5m';

/** All recording rules. */
export function recordingRules(queries: Queries): readonly RecordingRule[] {
  const { names, config } = queries;
  const by = queries.service(POLICY);
  const { metric, bad, all } = BREAKER_CALLS;
  const sum = (what: 'rate' | 'increase', where: Where, window: string): string =>
    `sum by (${by}) (${what}(${names.of(metric, where)}[${window}]))`;
  const { fast, slow } = config.slo;
  const windows = [...new Set(['5m', fast.short, slow.short, fast.long, slow.long])];
  return [
    ...windows.map((window) => ({
      record: errorRatio(window),
      expr: `${sum('rate', bad, window)} / (${sum('rate', all, window)} > 0)`,
    })),
    ...[...new Set([fast.long, slow.long])].flatMap((window) => [
      { record: callsIn(window), expr: sum('increase', all, window) },
      { record: failuresIn(window), expr: sum('increase', bad, window) },
    ]),
    {
      record: LATENCY,
      expr: `histogram_quantile(0.99, sum by (le, ${by}) (rate(${names.buckets('temper.breaker.call.duration')}[5m])))`,
    },
    {
      record: INSTANCES,
      expr: `count by (${queries.service()}) (\n  ${PRESENT.map(
        (one) => `group by (${queries.instance()}) (${names.of(one)})`,
      ).join('\n  or ')}\n)`,
    },
  ];
}
