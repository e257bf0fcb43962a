import { type CircuitBreaker, circuitBreaker } from '@temper/breaker';
import type { Executor, Outcome } from '@temper/core';
import { type RateLimiter, type TokenBucketStats, tokenBucket } from '@temper/ratelimit';
import { pipeline, timeout } from '@temper/recovery';
import { type RetryPolicy, retry } from '@temper/retry';
import { isCallersFault, isWorthRetrying, type OperationName } from './error-tables.ts';
import type { HardeningRuntime, HardeningSettings } from './options.ts';

/** Every policy of a hardened ParserCraft, by its name in the report. */
export interface HardeningPolicies {
  readonly breakers: Readonly<Record<keyof HardeningSettings['breakers'], CircuitBreaker>>;
  readonly limiters: Readonly<
    Record<keyof HardeningSettings['limiters'], RateLimiter<TokenBucketStats>>
  >;
  readonly retries: Readonly<Partial<Record<OperationName, RetryPolicy>>>;
}

/** What an operation is guarded with, outermost first. */
export interface PipelineParts {
  readonly limiter?: keyof HardeningSettings['limiters'];
  readonly breaker?: keyof HardeningSettings['breakers'];
}

/** Which limiter and breaker guard which operation. */
export const PIPELINE_PARTS: Readonly<Record<OperationName, PipelineParts>> = {
  ast_codegen: { limiter: 'ast_analysis', breaker: 'ast_codegen' },
  type_inference: { limiter: 'ast_analysis', breaker: 'ast_codegen' },
  check_protocol: { breaker: 'protocol_check' },
  fetch_package: { limiter: 'registry_query', breaker: 'registry_fetch' },
  lsp_operation: { limiter: 'lsp_requests' },
};

/** Creates the policies of the settings. */
export function makePolicies(
  settings: HardeningSettings,
  { clock, random, spans }: Required<HardeningRuntime>,
): HardeningPolicies {
  const atFault = (outcome: Outcome<unknown>): boolean =>
    !outcome.ok && !isCallersFault(outcome.error);
  const worthRetrying = (outcome: Outcome<unknown>): boolean =>
    !outcome.ok && isWorthRetrying(outcome.error);
  const breakers = mapValues(settings.breakers, (name, { failureThreshold, openDurationMs }) =>
    circuitBreaker({ name, failureThreshold, openDurationMs, shouldHandle: atFault, clock, spans }),
  );
  const limiters = mapValues(settings.limiters, (name, { limit, windowMs, burst }) =>
    // Refused at once rather than queued: an editor asks again by itself.
    tokenBucket({ name, limit, windowMs, burst, maxQueue: 0, clock, spans }),
  );
  const retries: Partial<Record<OperationName, RetryPolicy>> = {};
  for (const [name, plan] of Object.entries(settings.plans)) {
    if (plan.maxAttempts === 1) continue;
    retries[name as OperationName] = retry({
      name,
      maxAttempts: plan.maxAttempts,
      initialDelayMs: plan.retryDelayMs,
      shouldHandle: worthRetrying,
      clock,
      random,
      spans,
    });
  }
  return { breakers, limiters, retries };
}

/** The one path of an operation: limiter, retry, breaker, attempt timeout; the deadline is the call's. */
export function makePipeline(
  operation: OperationName,
  settings: HardeningSettings,
  policies: HardeningPolicies,
  { clock, spans }: Pick<Required<HardeningRuntime>, 'clock' | 'spans'>,
): Executor {
  const { limiter, breaker } = PIPELINE_PARTS[operation];
  const { attemptTimeoutMs } = settings.plans[operation];
  const parts: (Executor | undefined)[] = [
    limiter === undefined ? undefined : policies.limiters[limiter],
    policies.retries[operation],
    breaker === undefined ? undefined : policies.breakers[breaker],
    timeout({
      name: `${operation}_attempt`,
      timeoutMs: attemptTimeoutMs,
      clock,
      // The span of a timeout that did not fire would only repeat the one around it.
      spans: spans === 'all' ? 'failures' : spans,
    }),
  ];
  return pipeline({ name: operation, clock }, ...parts.filter((part) => part !== undefined));
}

function mapValues<K extends string, V, R>(
  record: Readonly<Record<K, V>>,
  make: (key: K, value: V) => R,
): Record<K, R> {
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [key, make(key as K, value as V)]),
  ) as Record<K, R>;
}
