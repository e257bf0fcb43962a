export { type CheckpointBody, openCheckpoint } from '../chain/checkpoint.ts';
export { type NoteVerifier, noteVerifier } from '../chain/signing-key.ts';
export { exportEvents } from './export/export-events.ts';
export {
  type ConsistencyProof,
  checkConsistency,
  checkInclusion,
  type InclusionProof,
  proveConsistency,
  proveInclusion,
} from './proofs.ts';
export { queryPage, streamEvents } from './query.ts';
export {
  type RecordedReads,
  type RecordedReadsOptions,
  recordedReads,
} from './recorded-reads.ts';
export { verifyLog } from './verify.ts';
