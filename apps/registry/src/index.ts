export type { Fault, FaultStatus } from './faults/plan.ts';
export { type RegistryProcess, startRegistry } from './launcher.ts';
export { packTarball } from './tarball.ts';
