import type { Operation } from '../contract.ts';
import { discardBody } from '../discard.ts';
import type { Call, Timing } from './context.ts';
import type { TimeoutQueue } from './timeout-queue.ts';

/** Learns how a timed operation has ended: by itself, in time, or not. */
export interface TimeoutObserver {
  /**
   * @param ok - whether it returned a value
   * @param timing - what the time that it took tells; `longer`: than the timeout allows
   * @param reservedMs - how much of the timeout was kept for another answer than the operation's
   */
  inTime(ok: boolean, timing: Timing, reservedMs: number): void;
  /** The operation has timed out. */
  timedOut?(): void;
}

/**
 * Runs `operation` in a scope of its own that ends when the queue's time is up; the result is then a
 * rejection with an equal error, at once, whether or not the operation reacts to its signal. What the
 * operation returns afterwards is dropped, and its unread body cancelled. The scope's deadline is the moment of the timeout, or the
 * call's own where that is nearer. A call that was ended before, while its operation went on, rejects with the
 * reason of that end: the first cause counts, and it has not timed out.
 *
 * The rejection reaches the caller's own continuation, so what is done there runs in the asynchronous
 * context of the call and not in that of the shared timer.
 */
export function runWithTimeout<T>(
  operation: Operation<T>,
  call: Call,
  queue: TimeoutQueue,
  timeoutError: () => Error,
  observer?: TimeoutObserver,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const entry = queue.add(() => {
      if (call.aborted) {
        scope.release();
        observer?.inTime(false, 'unknown', 0);
        reject(call.reason);
        return;
      }
      observer?.timedOut?.();
      const error = made(timeoutError);
      scope.end('timeout', made(timeoutError), error);
      scope.release();
      reject(error);
    });
    const scope = call.scope(entry.expiresAt, undefined, queue.clock);
    const inTime = (ok: boolean): boolean => {
      if (entry.callback === undefined) return false;
      if (scope.joined) {
        scope.release(() => queue.remove(entry));
      } else {
        queue.remove(entry);
        scope.release();
      }
      const { timing, reservedMs } = scope;
      // Otherwise it is the time of the call that was kept, or was too short.
      const own = scope.deadline === entry.expiresAt;
      const byOther = timing === 'longer' && !own;
      observer?.inTime(ok, byOther ? 'unknown' : timing, own ? reservedMs : 0);
      return true;
    };
    const resolved = (value: T): void => {
      if (inTime(true)) resolve(value);
      else discardBody(value); // too late: nobody gets it
    };
    const rejected = (error: unknown): void => {
      if (inTime(false)) reject(error);
      else discardBody(error);
    };
    try {
      nativePromise(operation(scope)).then(resolved as (value: Awaited<T>) => void, rejected);
    } catch (error) {
      rejected(error);
    }
  });
}

function made(create: () => Error): unknown {
  try {
    return create();
  } catch (thrown) {
    return thrown; // the call must end all the same
  }
}

const { then } = Promise.prototype;

/**
 * What becomes of `result`, as one native promise: itself where it is one, so that nothing is allocated. A
 * thenable of any make is adopted exactly once; a subclass, or a promise with a `then` of its own, is as foreign
 * as that. A proxy of a promise, which cannot be followed, becomes a rejection with a `TypeError`.
 *
 * @throws what a hostile getter of `constructor` or `then` throws
 */
export function nativePromise<T>(result: T | PromiseLike<T>): Promise<Awaited<T>> {
  const promise = Promise.resolve(result);
  return promise.then === then ? promise : adopt(promise);
}

async function adopt<T>(value: Promise<T>): Promise<T> {
  return await value;
}

/**
 * Calls an operation so that whatever it does comes out as one native promise: a throw as a
 * rejection, a thenable adopted once.
 */
export async function invoke<T>(operation: Operation<T>, call: Call): Promise<T> {
  return await operation(call);
}

/**
 * Rejects one step later. A promise that is rejected before its caller has it is reported to Node as
 * unhandled and then as handled, which takes twice as long as the rest of a rejection.
 */
export async function rejectLater(error: unknown): Promise<never> {
  await undefined;
  throw error;
}
