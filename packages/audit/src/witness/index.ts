export type { CheckpointStore } from './checkpoint-store.ts';
export { type Cosignature, cosignaturesOf, cosignatureVerifier, cosigner } from './cosignature.ts';
export { fileStore } from './file-store.ts';
export { httpStore } from './http-store.ts';
export { type CheckpointWitness, httpWitness } from './http-witness.ts';
export { type ObjectLockClient, objectLockStore } from './object-lock-store.ts';
export {
  type CheckpointPublisher,
  checkpointPublisher,
  type HeldCheckpoints,
} from './publisher.ts';
export type { PublisherOptions } from './publisher-options.ts';
export { WitnessError } from './witness-error.ts';
export type { WitnessConflict, WitnessedLog, WitnessOptions } from './witness-options.ts';
export { type WitnessServer, witness } from './witness-server.ts';
