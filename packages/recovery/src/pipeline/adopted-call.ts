import type { EndedBy } from '@temper/core';
import { Call, type CallLabels, isCall } from '@temper/core/policy';

/** What a policy of another library may pass to the operation. */
interface ForeignContext {
  readonly signal?: unknown;
  readonly attempt?: unknown;
  readonly deadline?: unknown;
}

/**
 * The call that continues inside a policy which cannot join calls: signal and attempt are those that
 * the policy passed on, everything else is that of the call around it.
 *
 * @param options - what the policy got as its second argument. Passed on as the signal, it stands for
 * that of the call.
 */
export function adopt(given: unknown, call: Call, options: unknown): Call {
  if (given === call || typeof given !== 'object' || given === null) return call;
  const { attempt, deadline, signal } = given as ForeignContext;
  return new AdoptedCall(
    typeof attempt === 'number' ? attempt : call.attempt,
    nearer(typeof deadline === 'number' ? deadline : undefined, call.deadline),
    (isCall(given) ? given.labels : undefined) ?? call.labels,
    isCall(given) ? given : signal !== options && isSignal(signal) ? signal : call,
    call,
  );
}

class AdoptedCall extends Call {
  readonly #around: Call;

  constructor(
    attempt: number,
    deadline: number | undefined,
    labels: CallLabels | undefined,
    source: AbortSignal | Call,
    around: Call,
  ) {
    super(attempt, deadline, labels, source);
    this.#around = around;
  }

  /** Where a policy aborts its own signal, but nothing around it ended the call, it timed out. */
  override get endedBy(): EndedBy | undefined {
    const known = this.#around.endedBy;
    if (known !== undefined || !this.aborted) return known;
    return isCall(this.source) ? this.source.endedBy : 'timeout';
  }
}

function nearer(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Math.min(a, b);
}

function isSignal(value: unknown): value is AbortSignal {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>;
  return typeof aborted === 'boolean' && typeof addEventListener === 'function';
}
