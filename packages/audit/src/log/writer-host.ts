import type { AuditEvent } from '../chain/event.ts';
import type { Draft } from '../chain/hash-chain.ts';
import type { AuditSource } from '../sinks/sink.ts';

/** The part of the log that the writer uses. */
export interface WriterHost {
  /** Creates an event of the log itself. */
  note(action: string, status: string, details: object): Draft;
  /** Called when an event has become durable. */
  stored(event: AuditEvent): void;
  /** Resolves when a published checkpoint covers the event with this sequence, if the log signs any. */
  cover(sequence: number): Promise<void>;
  /** The source the log is read from. */
  source(): AuditSource;
}
