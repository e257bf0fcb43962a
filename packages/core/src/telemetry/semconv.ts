import { ERROR_CATEGORIES, ERROR_SEVERITIES } from '../classify.ts';
import type { AttributeDefinition, MetricDefinition } from './definitions.ts';

/**
 * Version of OpenTelemetry's semantic conventions that the names which are not Temper's own are taken
 * from.
 */
export const SCHEMA_URL: string = 'https://opentelemetry.io/schemas/1.37.0';

/** On every series and span. */
export const ATTR_POLICY_NAME: AttributeDefinition = {
  name: 'temper.policy.name',
  description: 'Name of the policy, as given at construction.',
  example: 'registry_fetch',
};

/** OpenTelemetry's own attribute, on failures only. */
export const ATTR_ERROR_TYPE: AttributeDefinition = {
  name: 'error.type',
  description: "The error's code, HTTP status or name; `_OTHER` for the rest.",
  example: 'ECONNREFUSED',
};

/** {@link CallOptions.operation}, on spans. */
export const ATTR_OPERATION: AttributeDefinition = {
  name: 'temper.operation',
  description: 'What was being done, as the caller named it.',
  example: 'fetch_package',
};

/** How a call ended; each package lists its own values. */
export const ATTR_OUTCOME = 'temper.outcome';

export const ATTR_ERROR_CATEGORY: AttributeDefinition = {
  name: 'temper.error.category',
  description: 'What kind of trouble the error is.',
  values: ERROR_CATEGORIES,
};

export const ATTR_ERROR_SEVERITY: AttributeDefinition = {
  name: 'temper.error.severity',
  description: 'How bad the error is.',
  values: ERROR_SEVERITIES,
};

export const METRIC_ERRORS: MetricDefinition = {
  name: 'temper.errors',
  instrument: 'counter',
  unit: '{error}',
  description: 'Errors handled, by category and severity.',
  attributes: [ATTR_POLICY_NAME, ATTR_ERROR_CATEGORY, ATTR_ERROR_SEVERITY],
  alert: 'Any of severity critical; a rate above 1 % of the operations.',
};

/** The metrics of this package. */
export const CORE_METRICS: readonly MetricDefinition[] = [METRIC_ERRORS];
