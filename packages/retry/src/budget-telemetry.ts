import { type Emit, Instrumentation, policyAttributes } from '@temper/core/policy';
import { METRIC_BUDGET_AVAILABLE } from './metrics.ts';
import { VERSION } from './version.ts';

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
