import type { AuditEvent } from '../chain/event.ts';

/** An event to ship. */
export interface ShippedEvent {
  readonly event: AuditEvent;
  /** The line of the log, byte for byte: whoever has it can verify its hash. */
  readonly line: string;
}

/** Where events are shipped to. */
export interface ShipTarget {
  /** Name in errors and metrics. */
  readonly name: string;
  /**
   * Stores a batch, in the order of the log. Resolves when it may be forgotten here; a rejection has the
   * same batch sent again. Batches are sent one at a time. A batch can arrive again after a crash or a
   * timeout: `event.id` and `event.sequence` tell a repetition.
   *
   * @param signal - aborts when the time is up or shipping is closed
   */
  send(batch: readonly ShippedEvent[], signal: AbortSignal): Promise<unknown>;
}
