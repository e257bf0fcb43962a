import type { CallObservation, MeasuredCall } from '@temper/core/policy';
import type { Circuit, RunningTrial } from './circuit/circuit.ts';
import type { CallOutcome } from './verdict.ts';

/** A call that runs while the circuit is half-open, and is judged. */
export interface Trial extends RunningTrial {
  /** Present when the whole fleet waits for the result. */
  lease: string | undefined;
  /** Whether its operation has settled, or the trial was withdrawn. */
  ended: boolean;
}

/** A call that has begun. */
export interface Begun {
  /** The circuit that let it through, which may be another one when the call ends. */
  readonly circuit: Circuit;
  /** When it began, where slow calls count; 0 otherwise. */
  readonly startedAt: number;
  /** Its context, where slow calls count. */
  readonly measured: MeasuredCall | undefined;
  readonly trial: Trial | undefined;
  readonly observed: CallObservation<CallOutcome> | undefined;
}
