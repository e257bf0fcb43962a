/**
 * What went wrong in shipping. `target`: the target did not store a batch, which is sent again. `log`: the
 * log or the cursor cannot be read or stored, which is tried again. `gap`: retention has removed events
 * that were not shipped; shipping goes on after them. `mismatch`: the log does not continue what was
 * shipped: it was rewritten, rolled back or replaced, and shipping has stopped.
 */
export type ShipErrorReason = 'target' | 'log' | 'gap' | 'mismatch';

/** Something went wrong in shipping a log. */
export class ShipError extends Error {
  override readonly name = 'ShipError';
  readonly code = 'AUDIT_SHIP';
  readonly reason: ShipErrorReason;
  /** Name of the target. */
  readonly target: string;

  constructor(target: string, reason: ShipErrorReason, what: string, cause?: unknown) {
    super(`Shipping to '${target}': ${what}.`, cause === undefined ? undefined : { cause });
    this.target = target;
    this.reason = reason;
  }
}
