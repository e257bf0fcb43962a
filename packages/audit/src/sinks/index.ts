export { checkLine, EMPTY_HEAD, type SealedEvent } from '../chain/hash-chain.ts';
export type {
  Anchor,
  AuditSink,
  AuditSource,
  ReadRange,
  SinkState,
  SinkWriteResult,
  StoredCheckpoint,
} from './sink.ts';
