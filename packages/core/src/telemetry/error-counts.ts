import {
  ERROR_CATEGORIES,
  ERROR_SEVERITIES,
  type ErrorCategory,
  type ErrorSeverity,
} from '../classify.ts';
import { VERSION } from '../version.ts';
import type { Counts, Variants } from './counters.ts';
import type { Attributes } from './definitions.ts';
import { Instrumentation } from './instrumentation.ts';
import {
  ATTR_ERROR_CATEGORY,
  ATTR_ERROR_SEVERITY,
  CORE_METRICS,
  METRIC_ERRORS,
} from './semconv.ts';
import type { TelemetryScope } from './within.ts';

/** What an error log counts: errors of a category and severity. */
export type ErrorKind = `${ErrorCategory} ${ErrorSeverity}`;

const telemetry = new Instrumentation({
  name: '@temper/core',
  version: VERSION,
  metrics: CORE_METRICS,
});

const KINDS: Variants<ErrorKind> = Object.fromEntries(
  ERROR_CATEGORIES.flatMap((category) =>
    ERROR_SEVERITIES.map((severity): [ErrorKind, Attributes] => [
      `${category} ${severity}`,
      { [ATTR_ERROR_CATEGORY.name]: category, [ATTR_ERROR_SEVERITY.name]: severity },
    ]),
  ),
) as Variants<ErrorKind>;

/** The counts of one error log on `temper.errors`. */
export function errorCounts(
  log: { readonly name: string },
  within: TelemetryScope | undefined,
): Counts<ErrorKind> {
  return telemetry.of(within).counts(log, METRIC_ERRORS, KINDS);
}

/** Ends the series of an error log. */
export function releaseErrorCounts(
  log: { readonly name: string },
  within: TelemetryScope | undefined,
): void {
  telemetry.of(within).release(log);
}
