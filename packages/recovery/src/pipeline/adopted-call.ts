import { type Clock, type EndedBy, systemClock } from '@temper/core';
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
    nearer(
      {
        at: typeof deadline === 'number' ? deadline : undefined,
        clock: isCall(given) ? given.deadlineClock : call.deadlineClock,
      },
      { at: call.deadline, clock: call.deadlineClock },
    ),
    (isCall(given) ? given.labels : undefined) ?? call.labels,
    isCall(given) ? given : signal !== options && isSignal(signal) ? signal : call,
    call,
  );
}

/** A deadline, and the clock that it is read on, where that is known. */
interface Deadline {
  readonly at: number | undefined;
  readonly clock: Clock | undefined;
}

class AdoptedCall extends Call {
  readonly #around: Call;
  readonly #clock: Clock | undefined;

  constructor(
    attempt: number,
    deadline: Deadline,
    labels: CallLabels | undefined,
    source: AbortSignal | Call,
    around: Call,
  ) {
    super(attempt, deadline.at, labels, source);
    this.#around = around;
    this.#clock = deadline.clock;
    // Its attempts, failures and joined calls are those of the call around it.
    this.continues(around);
  }

  override get deadlineClock(): Clock | undefined {
    return this.#clock;
  }

  override get hedge(): number {
    return isCall(this.source) ? this.source.hedge : this.#around.hedge;
  }

  /** Where a policy aborts its own signal, but nothing around it ended the call, it timed out. */
  override get endedBy(): EndedBy | undefined {
    const known = this.#around.endedBy;
    if (known !== undefined || !this.aborted) return known;
    return isCall(this.source) ? this.source.endedBy : 'timeout';
  }
}

function nearer(a: Deadline, b: Deadline): Deadline {
  if (a.at === undefined) return b;
  if (b.at === undefined) return a;
  return leftUntil(a, b.clock) < leftUntil(b, a.clock) ? a : b;
}

/** Milliseconds until a deadline. Where a clock is not known, the deadlines are on the same one. */
function leftUntil({ at = Number.POSITIVE_INFINITY, clock }: Deadline, other?: Clock): number {
  return at - (clock ?? other ?? systemClock).monotonic();
}

function isSignal(value: unknown): value is AbortSignal {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>;
  return typeof aborted === 'boolean' && typeof addEventListener === 'function';
}
