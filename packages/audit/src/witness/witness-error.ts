/**
 * Why a checkpoint was not published. `rollback`: the place has one of more events. `fork`: the place has
 * another one of as many events, or the proof does not continue the last. `refused`: the place does not
 * know the log or its key. `hostile`: the answer breaks the protocol. `unavailable`: there is no answer.
 */
export type WitnessErrorReason = 'rollback' | 'fork' | 'refused' | 'hostile' | 'unavailable';

/** A witness or a store did not take a checkpoint. */
export class WitnessError extends Error {
  override readonly name = 'WitnessError';
  readonly code = 'AUDIT_WITNESS';
  readonly reason: WitnessErrorReason;
  /** Name of the witness or store. */
  readonly witness: string;

  constructor(witness: string, reason: WitnessErrorReason, what: string, cause?: unknown) {
    super(`Witness '${witness}': ${what}.`, cause === undefined ? undefined : { cause });
    this.witness = witness;
    this.reason = reason;
  }
}
