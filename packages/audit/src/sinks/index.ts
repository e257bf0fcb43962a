export { checkLine, EMPTY_HEAD, type SealedEvent } from '../chain/hash-chain.ts';
export type {
  Anchor,
  AuditSink,
  AuditSource,
  ReadRange,
  Retirable,
  SinkState,
  StoredCheckpoint,
} from './sink.ts';
