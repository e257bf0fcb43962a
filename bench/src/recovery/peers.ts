import * as cockatiel from 'cockatiel';

/** A pipeline of Cockatiel's retry, breaker and timeout. */
export function cockatielPipeline(timeoutMs: number, abortOnReturn: boolean): cockatiel.IPolicy {
  return cockatiel.wrap(
    cockatiel.retry(cockatiel.handleAll, {
      maxAttempts: 2,
      backoff: new cockatiel.ExponentialBackoff({ initialDelay: 100 }),
    }),
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
