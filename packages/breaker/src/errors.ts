import { type Classification, type Outcome, TemperError } from '@temper/core';
import { messageOf, statusOf } from '@temper/core/policy';
import type { CircuitState } from './circuit/circuit.ts';

/** The circuit rejected the call: the operation was not called. */
export class CircuitOpenError extends TemperError {
  /** `open`, `half-open` while all trials are running, or `isolated` by hand. */
  readonly state: Exclude<CircuitState, 'closed'>;
  /**
   * When to call again, in whole milliseconds: when the next trial may begin; while half-open, when a
   * running one has ended at the latest. `undefined` when isolated.
   */
  readonly retryAfterMs: number | undefined;

  /**
   * @param options.cause - what opened the circuit
   * @param options.reason - the same in words; from `cause` by default
   * @param options.stack - whether to record a stack trace; `false` by default
   */
  constructor(
    policy: string,
    options: {
      readonly state: Exclude<CircuitState, 'closed'>;
      readonly retryAfterMs: number | undefined;
      readonly cause?: unknown;
      readonly reason?: string | undefined;
      readonly stack?: boolean;
    },
  ) {
    const { state, retryAfterMs, cause, stack = false } = options;
    const reason = options.reason ?? (cause === undefined ? undefined : messageOf(cause));
    const ms = retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs);
    const message = `Circuit '${policy}' is ${state}; ${whatNext(state, ms)}`;
    super(reason === undefined ? `${message}.` : `${message}: ${reason}`, {
      code: 'CIRCUIT_OPEN',
      policy,
      cause,
      stack,
    });
    this.state = state;
    this.retryAfterMs = ms;
  }

  override get name(): string {
    return 'CircuitOpenError';
  }

  override get refused(): boolean {
    return true;
  }

  /** Not transient: an open circuit ends the retries around it. */
  override get classification(): Classification {
    return { category: 'resource', severity: 'medium', transient: false };
  }
}

function whatNext(state: CircuitOpenError['state'], ms: number | undefined): string {
  if (state === 'open') return `the next trial is in ${ms} ms`;
  if (state === 'half-open') return `its trial calls end within ${ms} ms`;
  return 'calls are rejected until the isolation is released';
}

/** What opened a circuit, in words that are fit for a message. */
export function describeFailure(failure: Outcome<unknown>): string {
  if (!failure.ok) return messageOf(failure.error);
  const status = statusOf(failure.value);
  return status === undefined ? 'the result counts as a failure' : `status ${status}`;
}

/** The error, or the value that counts as one. */
export function causeOf(failure: Outcome<unknown> | undefined): unknown {
  if (failure === undefined) return undefined;
  return failure.ok ? failure.value : failure.error;
}
