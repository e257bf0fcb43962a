import { type Clock, DeadlineExceededError, type Operation } from '@temper/core';
import { type Call, CallScope, discardBody, invoke } from '@temper/core/policy';

/** How an operation leaves time for another answer. */
export interface Reserve {
  /** How long before the call's deadline the operation is ended, in milliseconds. */
  readonly reserveMs: number;
  readonly clock: Clock;
  /** Whether there is another answer. Where there is none, the operation keeps all of its time. */
  readonly hasAnswer: () => boolean;
}

/** The time that an operation has before the deadline of its call: with a later one, it would have more. */
class ReserveScope extends CallScope {
  readonly #reserveMs: number;

  constructor(call: Call, deadline: number, { reserveMs, clock }: Reserve) {
    super(call.attempt, deadline, call.labels, call, clock);
    this.#reserveMs = reserveMs;
  }

  /** What is kept inside comes on top. */
  override noteReserve(ms: number): void {
    super.noteReserve(this.#reserveMs + ms);
  }

  protected override get hasOwnDeadline(): boolean {
    return false;
  }
}

/**
 * Runs an operation so that another answer can still be given in time: it is ended before the deadline of
 * the call (its caller's `timeoutMs`, or a timeout around it), and the result is then a rejection with
 * `DeadlineExceededError` at once. An operation that would get no time is not called.
 */
export function runWithReserve<T>(
  operation: Operation<T>,
  call: Call,
  reserve: Reserve,
): Promise<T> {
  const { reserveMs, clock, hasAnswer } = reserve;
  if (call.deadline === undefined || !hasAnswer()) return invoke(operation, call);
  call.noteReserve(reserveMs);
  const dueMs = call.remainingMs(clock) - reserveMs;
  const exceeded = (): Error => new DeadlineExceededError(call.operation);
  if (dueMs <= 0) {
    call.noteTiming('longer');
    return Promise.reject(exceeded());
  }
  return new Promise<T>((resolve, reject) => {
    let expired = false;
    const until = clock.monotonic() + dueMs;
    const scope = new ReserveScope(call, until, reserve);
    const timer = clock.schedule(() => {
      if (call.aborted) {
        // Nobody wants another answer, and what ended the call first is what it fails with.
        expired = true;
        scope.release();
        reject(call.reason);
        return;
      }
      if (!hasAnswer()) return;
      const error = exceeded();
      expired = true;
      call.noteTiming('longer');
      scope.end('deadline', exceeded(), error);
      scope.release();
      reject(error);
    }, dueMs);
    const leave = (): void => {
      timer.cancel();
      scope.release();
    };
    const run = async (): Promise<void> => {
      try {
        const value = await operation(scope);
        leave();
        if (expired) discardBody(value); // nobody gets it
        resolve(value);
      } catch (error) {
        leave();
        if (expired) discardBody(error);
        reject(error);
      }
    };
    void run();
  });
}
