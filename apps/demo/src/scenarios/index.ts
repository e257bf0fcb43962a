import { abusiveClient } from './abusive-client.ts';
import { auditDiskFull } from './audit-disk-full.ts';
import { flapping } from './flapping.ts';
import { hostileInput } from './hostile-input.ts';
import { lspCrash } from './lsp-crash.ts';
import { registryOutage } from './registry-outage.ts';
import type { Scenario } from './scenario.ts';
import { shutdown } from './shutdown.ts';
import { slowLeak } from './slow-leak.ts';
import { slowRegistry } from './slow-registry.ts';
import { trafficSpike } from './traffic-spike.ts';

/** Every scenario, in the order in which they are listed. */
export const SCENARIOS: readonly Scenario[] = [
  registryOutage,
  slowRegistry,
  slowLeak,
  flapping,
  lspCrash,
  hostileInput,
  trafficSpike,
  abusiveClient,
  auditDiskFull,
  shutdown,
];

export function scenarioNamed(name: string): Scenario | undefined {
  return SCENARIOS.find((scenario) => scenario.name === name);
}
