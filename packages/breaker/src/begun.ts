import type { CallObservation } from '@temper/core/policy';
import type { Circuit } from './circuit/circuit.ts';
import type { CallOutcome } from './semconv.ts';

/** A call that runs while the circuit is half-open. */
export interface Trial {
  readonly generation: number;
  readonly begunAt: number;
  /** Present when the whole fleet waits for the result. */
  readonly lease?: string | undefined;
}

/** A call that has begun. */
export interface Begun {
  /** The circuit that let it through, which may be another one when the call ends. */
  readonly circuit: Circuit;
  /** When it began, where slow calls count; 0 otherwise. */
  readonly startedAt: number;
  readonly trial: Trial | undefined;
  readonly observed: CallObservation<CallOutcome> | undefined;
}
