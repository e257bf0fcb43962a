import * as cockatiel from 'cockatiel';

/** A pipeline of Cockatiel's retry, breaker and timeout. An open circuit ends its retries, as in all others. */
export function cockatielPipeline(timeoutMs: number, abortOnReturn: boolean): cockatiel.IPolicy {
  const isOpen = (error: unknown): boolean => error instanceof cockatiel.BrokenCircuitError;
  return cockatiel.wrap(
    cockatiel.retry(
      cockatiel.handleWhen((error) => !isOpen(error)),
      {
        maxAttempts: 2,
        backoff: new cockatiel.ExponentialBackoff({ initialDelay: 100 }),
      },
    ),
    cockatiel.circuitBreaker(cockatiel.handleAll, {
      halfOpenAfter: 60_000,
      breaker: new cockatiel.ConsecutiveBreaker(5),
    }),
    cockatiel.timeout(timeoutMs, {
      strategy: cockatiel.TimeoutStrategy.Aggressive,
      abortOnReturn,
    }),
  );
}
