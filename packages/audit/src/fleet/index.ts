export { checkFleetProof, type FleetProof, proveFleet } from './fleet-proof.ts';
export type { FleetMember } from './fleet-tree.ts';
export {
  FleetError,
  type PostgresFleet,
  type PostgresFleetOptions,
  postgresFleet,
} from './postgres-fleet.ts';
export {
  type FleetProblem,
  type FleetReport,
  type VerifyFleetOptions,
  verifyFleet,
} from './verify-fleet.ts';
