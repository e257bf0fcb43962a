import {
  ERROR_CATEGORIES,
  ERROR_SEVERITIES,
  type ErrorCategory,
  type ErrorSeverity,
} from '../classify.ts';
import { VERSION } from '../version.ts';
import { instrumentationScope } from './hub.ts';
import {
  ATTR_ERROR_CATEGORY,
  ATTR_ERROR_SEVERITY,
  ATTR_POLICY_NAME,
  CORE_METRICS,
  METRIC_ERRORS,
} from './semconv.ts';
import type { Cell } from './series.ts';

/** Counts errors on `temper.errors`. */
export function errorCounter(
  policy: string,
): (category: ErrorCategory, severity: ErrorSeverity) => Cell {
  const scope = instrumentationScope({
    name: '@temper/core',
    version: VERSION,
    metrics: CORE_METRICS,
  });
  const cells = new Map(
    ERROR_CATEGORIES.map((category) => [
      category,
      new Map(
        ERROR_SEVERITIES.map((severity) => [
          severity,
          {
            [ATTR_POLICY_NAME.name]: policy,
            [ATTR_ERROR_CATEGORY.name]: category,
            [ATTR_ERROR_SEVERITY.name]: severity,
          },
        ]),
      ),
    ]),
  );
  return (category, severity) => {
    const attributes = cells.get(category)?.get(severity);
    if (attributes === undefined) throw new TypeError(`no such error: ${category}, ${severity}`);
    return scope.counter(METRIC_ERRORS, attributes);
  };
}
