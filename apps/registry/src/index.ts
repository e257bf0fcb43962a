export type {
  CorruptFault,
  CutFault,
  ErrorFault,
  Fault,
  FaultKind,
  FaultLifetime,
  FaultPlan,
  FaultScope,
  FaultStatus,
  HangFault,
  LatencyFault,
  RefuseFault,
} from './faults/plan.ts';
export {
  type RegistryExit,
  type RegistryProcess,
  type StartRegistryOptions,
  startRegistry,
} from './launcher.ts';
export { MANIFEST_FILE, type Manifest } from './manifest.ts';
export type { PackageMetadata, PackageVersions, VersionMetadata } from './metadata.ts';
export type { ProblemBody, ProblemCode } from './problem.ts';
export { packTarball, TARBALL_ROOT } from './tarball.ts';
