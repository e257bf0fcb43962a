import type { Clock } from '@temper/core';

/**
 * Waits for `work` at most `ms` milliseconds. The work is not interrupted; what it does afterwards, a
 * rejection included, is ignored.
 *
 * @param timeoutError - creates what the promise rejects with when the time is up
 */
export async function withinTime<T>(
  clock: Clock,
  ms: number,
  work: () => T | PromiseLike<T>,
  timeoutError: () => Error,
): Promise<T> {
  if (ms === Number.POSITIVE_INFINITY) return await work();
  return await new Promise<T>((resolve, reject) => {
    const timer = clock.schedule(() => reject(timeoutError()), ms);
    const run = async (): Promise<void> => {
      try {
        resolve(await work());
      } catch (error) {
        reject(error);
      } finally {
        timer.cancel();
      }
    };
    void run();
  });
}
