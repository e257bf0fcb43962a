/** Minimal circuit breaker: opens for one minute after five consecutive failures. */
export function breakerFloor(): <T>(operation: () => Promise<T>) => Promise<T> {
  let failures = 0;
  let openUntil = 0;
  return async (operation) => {
    if (openUntil !== 0 && performance.now() < openUntil) throw new Error('The circuit is open.');
    try {
      const value = await operation();
      failures = 0;
      return value;
    } catch (error) {
      if (++failures >= 5) openUntil = performance.now() + 60_000;
      throw error;
    }
  };
}
