import { registryOutage } from './registry-outage.ts';
import type { Scenario } from './scenario.ts';

/** Every scenario, in the order in which they are listed. */
export const SCENARIOS: readonly Scenario[] = [registryOutage];

export function scenarioNamed(name: string): Scenario | undefined {
  return SCENARIOS.find((scenario) => scenario.name === name);
}
