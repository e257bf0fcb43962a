import { type Classification, TemperError } from '@temper/core';

/** What can be said about an open circuit to a caller that it turns away. */
export interface CircuitOpenDetails {
  /** What the circuit was: `open`, `half-open` with all trials under way, or `isolated` by hand. */
  readonly state: 'open' | 'half-open' | 'isolated';
  /**
   * When to come back, in whole milliseconds: when the next trial may begin; while half-open, when the
   * running one will be decided at the latest. `undefined` when isolated, as nobody can know.
   */
  readonly retryAfterMs: number | undefined;
  /** What opened the circuit. */
  readonly cause?: unknown;
  /** @defaultValue false */
  readonly stack?: boolean;
}

/** The circuit let no call through: the operation was not called. */
export class CircuitOpenError extends TemperError {
  readonly state: CircuitOpenDetails['state'];
  readonly retryAfterMs: number | undefined;

  constructor(policy: string, { state, retryAfterMs, cause, stack = false }: CircuitOpenDetails) {
    const ms = retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs);
    super(message(policy, state, ms), { code: 'CIRCUIT_OPEN', policy, cause, stack });
    this.state = state;
    this.retryAfterMs = ms;
  }

  override get name(): string {
    return 'CircuitOpenError';
  }

  /** Not transient: an open circuit ends the retries around it. */
  override get classification(): Classification {
    return { category: 'resource', severity: 'medium', transient: false };
  }
}

function message(
  policy: string,
  state: CircuitOpenDetails['state'],
  retryAfterMs: number | undefined,
): string {
  const circuit = `Circuit '${policy}' is ${state}`;
  if (state === 'isolated') return `${circuit}: held open by hand until it is released.`;
  return state === 'open'
    ? `${circuit}; next trial in ${retryAfterMs} ms.`
    : `${circuit} with its trial under way; decided in ${retryAfterMs} ms at the latest.`;
}
