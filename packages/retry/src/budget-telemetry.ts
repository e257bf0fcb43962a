import {
  ATTR_POLICY_NAME,
  type Emit,
  Instrumentation,
  type MetricDefinition,
  policyAttributes,
} from '@temper/core/policy';
import { VERSION } from './version.ts';

export const METRIC_BUDGET_AVAILABLE: MetricDefinition = {
  name: 'temper.retry.budget.available',
  instrument: 'gauge',
  unit: '{attempt}',
  description: 'Retries that the budget would allow now.',
  whenGone: Number.NaN,
  attributes: [ATTR_POLICY_NAME],
  alert: 'Zero: retries are being refused.',
};

const telemetry = new Instrumentation({
  name: '@temper/retry',
  version: VERSION,
  metrics: [METRIC_BUDGET_AVAILABLE],
});

interface BudgetLevel {
  readonly name: string;
  available(): number;
}

/** Reads a budget's level at each collection, until the result is disposed of. */
export function observeBudget(budget: BudgetLevel): Disposable {
  return telemetry.observe(budget, readBudget);
}

function readBudget(budget: BudgetLevel, emit: Emit): void {
  emit(METRIC_BUDGET_AVAILABLE, policyAttributes(budget.name), budget.available());
}
