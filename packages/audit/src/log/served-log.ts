import type { AuditEvent, AuditEventInput } from '../chain/event.ts';
import type { EventOrigin } from './intake/intake.ts';
import type { LossReport } from './loss-counter.ts';

/** An event that another process has sent, or what it has lost. */
export type ServedEvent = EventOrigin &
  (
    | { readonly input: AuditEventInput }
    | { readonly losses: LossReport & { readonly until: string } }
  );

/** Of the process's symbols, so that the copies of this package in one process agree. */
export const SERVE: unique symbol = Symbol.for('temper.audit.serve');

/** A log that takes events of other processes, with the guarantees of `append`. */
export interface ServableLog {
  /**
   * @throws {TypeError} (as a rejection) if the event is invalid
   * @throws {AuditUnavailableError} as `append` does
   * @throws {AuditClosedError} after the log has been closed
   */
  [SERVE](event: ServedEvent): Promise<AuditEvent>;
}
