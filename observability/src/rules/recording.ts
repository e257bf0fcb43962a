import { OUTCOME } from '../dashboards/panel.ts';
import type { Names } from '../names.ts';
import { BY_JOB_AND_POLICY, type RecordingRule } from './alert.ts';

/** The windows of the burn-rate alerts. */
const BURN_WINDOWS: readonly string[] = ['5m', '30m', '1h', '6h'];

/** The name of the recorded error ratio over a window. */
export function errorRatio(window: string): string {
  return `temper:breaker_calls:error_ratio_rate${window}`;
}

/** Share of failed and rejected calls. Ignored calls are excluded. */
function errorRatioExpr(names: Names, window: string): string {
  const metric = 'temper.breaker.calls';
  const rate = (outcomes: readonly string[]): string =>
    `sum by (${BY_JOB_AND_POLICY}) (rate(${names.of(metric, { [OUTCOME]: outcomes })}[${window}]))`;
  const all = rate(['success', 'slow', 'failure', 'rejected']);
  return `${rate(['failure', 'rejected'])} / (${all} > 0)`;
}

/** All recording rules. */
export const RECORDING_RULES: readonly RecordingRule[] = [
  ...BURN_WINDOWS.map((window) => ({
    record: errorRatio(window),
    expr: (names: Names) => errorRatioExpr(names, window),
  })),
  {
    record: 'temper:breaker_call_duration:p99_rate5m',
    expr: (names) =>
      `histogram_quantile(0.99, sum by (le, ${BY_JOB_AND_POLICY}) (rate(${names.buckets('temper.breaker.call.duration')}[5m])))`,
  },
  {
    record: 'temper:retry_operations:exhausted_ratio_rate5m',
    expr: (names) => {
      const metric = 'temper.retry.operations';
      const rate = (selector: string): string =>
        `sum by (${BY_JOB_AND_POLICY}) (rate(${selector}[5m]))`;
      return `${rate(names.of(metric, { [OUTCOME]: 'exhausted' }))} / (${rate(names.of(metric))} > 0)`;
    },
  },
];
