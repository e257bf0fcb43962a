import { type CircuitBreaker, circuitBreaker } from '@temper/breaker';
import type { Executor, ShouldHandle } from '@temper/core';
import { type RateLimiter, type TokenBucketStats, tokenBucket } from '@temper/ratelimit';
import { pipeline, timeout } from '@temper/recovery';
import { type RetryPolicy, retry } from '@temper/retry';
import { Bulkhead, KeyShare, wasCutShort } from './bulkhead.ts';
import { isCallersFault, isWorthRetrying, OPERATIONS, type OperationName } from './error-tables.ts';
import type { HardeningRuntime, HardeningSettings } from './options.ts';

/** Every policy of a hardened ParserCraft, by its name in the report. */
export interface HardeningPolicies {
  readonly breakers: Readonly<Record<keyof HardeningSettings['breakers'], CircuitBreaker>>;
  readonly limiters: Readonly<
    Record<keyof HardeningSettings['limiters'], RateLimiter<TokenBucketStats>>
  >;
  readonly bulkheads: Readonly<Record<keyof HardeningSettings['bulkheads'], Bulkhead>>;
  /** For limiters of which a key may use only a share. */
  readonly shares: Readonly<Partial<Record<keyof HardeningSettings['limiters'], KeyShare>>>;
  readonly retries: Readonly<Partial<Record<OperationName, RetryPolicy>>>;
}

/** What an operation is guarded with, outermost first. */
export interface PipelineParts {
  readonly limiter?: keyof HardeningSettings['limiters'];
  readonly bulkhead: keyof HardeningSettings['bulkheads'];
  readonly breaker?: keyof HardeningSettings['breakers'];
}

/** Which limiter, bulkhead and breaker guard which operation. */
export const PIPELINE_PARTS: Readonly<Record<OperationName, PipelineParts>> = {
  ast_codegen: { limiter: 'ast_analysis', bulkhead: 'ast', breaker: 'ast_codegen' },
  type_inference: { limiter: 'ast_analysis', bulkhead: 'ast', breaker: 'ast_codegen' },
  check_protocol: { bulkhead: 'protocols', breaker: 'protocol_check' },
  fetch_package: { limiter: 'registry_query', bulkhead: 'registry', breaker: 'registry_fetch' },
  lsp_operation: { limiter: 'lsp_requests', bulkhead: 'lsp', breaker: 'lsp_operation' },
};

/** Creates the policies of the settings. */
export function makePolicies(
  settings: HardeningSettings,
  { clock, random, spans }: Required<HardeningRuntime>,
): HardeningPolicies {
  const breakers = mapValues(settings.breakers, (name, { failureThreshold, openDurationMs }) =>
    circuitBreaker({
      name,
      failureThreshold,
      openDurationMs,
      shouldHandle: handles(isAtFault, behind(name)),
      clock,
      spans,
    }),
  );
  const limiters = mapValues(settings.limiters, (name, { limit, windowMs, burst }) =>
    // Refused at once rather than queued: an editor asks again by itself.
    tokenBucket({ name, limit, windowMs, burst, maxQueue: 0, clock, spans }),
  );
  const bulkheads = mapValues(
    settings.bulkheads,
    (name, setting) => new Bulkhead({ name, ...setting, clock, spans }),
  );
  const shares: Partial<Record<keyof HardeningSettings['limiters'], KeyShare>> = {};
  for (const [name, { share, ...rule }] of Object.entries(settings.limiters)) {
    if (share === 1) continue;
    const own = { limit: Math.max(1, rule.limit * share), burst: Math.max(1, rule.burst * share) };
    const { windowMs } = rule;
    shares[name as keyof typeof shares] = new KeyShare({ name, windowMs, ...own, clock, spans });
  }
  const retries: Partial<Record<OperationName, RetryPolicy>> = {};
  for (const name of OPERATIONS) {
    const plan = settings.plans[name];
    if (plan.maxAttempts === 1) continue;
    retries[name] = retry({
      name,
      maxAttempts: plan.maxAttempts,
      initialDelayMs: plan.retryDelayMs,
      shouldHandle: handles(isWorthRetrying, name),
      clock,
      random,
      spans,
    });
  }
  return { breakers, limiters, bulkheads, shares, retries };
}

/** An operation behind a breaker. What is at fault is the same for all of them. */
function behind(breaker: keyof HardeningSettings['breakers']): OperationName {
  return OPERATIONS.find((name) => PIPELINE_PARTS[name].breaker === breaker) as OperationName;
}

const isAtFault = (operation: OperationName, error: unknown): boolean =>
  !isCallersFault(operation, error);

function handles(
  counts: (operation: OperationName, error: unknown) => boolean,
  operation: OperationName,
): ShouldHandle {
  return (outcome, call) => !outcome.ok && !wasCutShort(call) && counts(operation, outcome.error);
}

/**
 * The one path of an operation: limiter, bulkhead, retry, breaker, attempt timeout; the deadline is the
 * call's. The bulkhead is outside the breaker and the attempt's timeout, which therefore measure the
 * subsystem alone and never a wait for its turn.
 */
export function makePipeline(
  operation: OperationName,
  settings: HardeningSettings,
  policies: HardeningPolicies,
  { clock, spans }: Pick<Required<HardeningRuntime>, 'clock' | 'spans'>,
): Executor {
  const { limiter, bulkhead, breaker } = PIPELINE_PARTS[operation];
  const { attemptTimeoutMs } = settings.plans[operation];
  const parts: (Executor | undefined)[] = [
    limiter === undefined ? undefined : policies.shares[limiter],
    limiter === undefined ? undefined : policies.limiters[limiter],
    policies.bulkheads[bulkhead],
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
